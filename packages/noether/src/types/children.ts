import { type Fields, type NType, record } from './ntype.ts';

/** The types a type is made of; not the row of an open record. */
export function childTypes(type: NType): readonly NType[] {
  switch (type.kind) {
    case 'List':
    case 'Stream':
      return [type.value];
    case 'Map':
      return [type.value.key, type.value.value];
    case 'Record':
      return Object.values(type.value);
    case 'RecordWith':
      return Object.values(type.value.fields);
    case 'Union':
      return type.value;
    case 'Refined':
      return [type.value.base];
    case 'Any':
    case 'Bool':
    case 'Bytes':
    case 'Null':
    case 'Number':
    case 'Text':
    case 'VNode':
    case 'Var':
      return [];
  }
}

/** The type with each type it is made of changed; unions keep their order and doubles. */
export function mapChildren(type: NType, change: (child: NType) => NType): NType {
  switch (type.kind) {
    case 'List':
    case 'Stream':
      return { kind: type.kind, value: change(type.value) };
    case 'Map':
      return { kind: 'Map', value: { key: change(type.value.key), value: change(type.value.value) } };
    case 'Record':
      return record(mapFields(type.value, change));
    case 'RecordWith':
      return {
        kind: 'RecordWith',
        value: { fields: mapFields(type.value.fields, change), rest: type.value.rest },
      };
    case 'Union':
      return { kind: 'Union', value: type.value.map(change) };
    case 'Refined':
      return { kind: 'Refined', value: { base: change(type.value.base), refinement: type.value.refinement } };
    case 'Any':
    case 'Bool':
    case 'Bytes':
    case 'Null':
    case 'Number':
    case 'Text':
    case 'VNode':
    case 'Var':
      return type;
  }
}

/** Every field's type changed. */
export function mapFields(fields: Fields, change: (type: NType) => NType): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, change(type)]));
}

/** The type with its variables renamed, rows of open records among them. */
export function renameVariables(type: NType, rename: (name: string) => string): NType {
  if (type.kind === 'Var') return { kind: 'Var', value: rename(type.value) };
  const inner = mapChildren(type, (child) => renameVariables(child, rename));
  return inner.kind === 'RecordWith'
    ? { kind: 'RecordWith', value: { fields: inner.value.fields, rest: rename(inner.value.rest) } }
    : inner;
}

const sizes = new WeakMap<NType, number>();

/** How many types a type is made of, itself included; what it is made of twice counts twice. */
export function typeSize(type: NType): number {
  if (!('value' in type)) return 1;
  const known = sizes.get(type);
  if (known !== undefined) return known;
  const size = childTypes(type).reduce((sum, child) => sum + typeSize(child), 1);
  sizes.set(type, size);
  return size;
}
