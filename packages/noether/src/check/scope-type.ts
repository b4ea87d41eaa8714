import { type Fields, type NType, record } from '../types/ntype.ts';
import type { Checking } from './state.ts';

/** The type of an input with names laid over its fields. */
export function scopeType(input: NType, names: Fields, check: Checking): NType {
  const outer = check.solver.shallow(input);
  switch (outer.kind) {
    case 'Record':
      return record({ ...outer.value, ...names });
    case 'RecordWith':
      return {
        kind: 'RecordWith',
        value: { fields: { ...outer.value.fields, ...names }, rest: outer.value.rest },
      };
    case 'Var':
      return { kind: 'RecordWith', value: { fields: names, rest: outer.value } };
    case 'Refined':
      return scopeType(outer.value.base, names, check);
    case 'Any':
    case 'Map':
    case 'Union':
      return { kind: 'RecordWith', value: { fields: names, rest: check.solver.fresh(outer).value } };
    case 'Bool':
    case 'Bytes':
    case 'List':
    case 'Null':
    case 'Number':
    case 'Stream':
    case 'Text':
    case 'VNode':
      return record(names);
  }
}
