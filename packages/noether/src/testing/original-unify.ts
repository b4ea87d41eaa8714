import { mapChildren, mapFields } from '../types/children.ts';
import { type NType, fieldEntries, fieldType, record } from '../types/ntype.ts';
import { sameType } from '../types/union.ts';

/**
 * Unification as the original's checker does it on edges that mention a variable: one substitution for the whole graph,
 * variables of a name are the same wherever they stand, and records unify only with the very same fields.
 */
export class OriginalUnifier {
  readonly #bound = new Map<string, NType>();
  #anys = 0;

  /** The type with bound variables replaced; an open record whose rest is known becomes one record. */
  apply(type: NType): NType {
    switch (type.kind) {
      case 'Var': {
        const known = this.#bound.get(type.value);
        return known ? this.apply(known) : type;
      }
      case 'RecordWith': {
        const fields = mapFields(type.value.fields, (field) => this.apply(field));
        const known = this.#bound.get(type.value.rest);
        const rest = known && this.apply(known);
        if (rest?.kind === 'Record') return record({ ...rest.value, ...fields });
        if (rest?.kind !== 'RecordWith') return { kind: 'RecordWith', value: { ...type.value, fields } };
        return {
          kind: 'RecordWith',
          value: { fields: { ...rest.value.fields, ...fields }, rest: rest.value.rest },
        };
      }
      default:
        return mapChildren(type, (inner) => this.apply(inner));
    }
  }

  /** Makes two types equal. Gives the reason when it cannot. */
  unify(from: NType, to: NType): string | null {
    return this.#unify(this.#term(from), this.#term(to));
  }

  /** Any is a variable of its own each time; a refinement is dropped. */
  #term(type: NType): NType {
    if (type.kind === 'Any') {
      this.#anys += 1;
      return { kind: 'Var', value: `_any_${this.#anys - 1}` };
    }
    if (type.kind === 'Refined') return this.#term(type.value.base);
    return mapChildren(type, (inner) => this.#term(inner));
  }

  #unify(left: NType, right: NType): string | null {
    const [a, b] = [this.apply(left), this.apply(right)];
    if (a.kind === 'Var') return b.kind === 'Var' && a.value === b.value ? null : this.#bind(a.value, b);
    if (b.kind === 'Var') return this.#bind(b.value, a);
    if (a.kind === 'Record' && b.kind === 'Record') return this.#records(a, b);
    if (a.kind === 'RecordWith' && b.kind === 'Record') return this.#open(a, b, true);
    if (a.kind === 'Record' && b.kind === 'RecordWith') return this.#open(b, a, false);
    return a.kind === b.kind ? this.#parts(a, b) : 'incompatible type shapes';
  }

  #bind(name: string, type: NType): string | null {
    if (mentions(type, name)) return 'occurs check';
    this.#bound.set(name, type);
    return null;
  }

  #records(a: NType & { kind: 'Record' }, b: NType & { kind: 'Record' }): string | null {
    const [left, right] = [fieldEntries(a.value), fieldEntries(b.value)];
    if (left.map(([name]) => name).join('\0') !== right.map(([name]) => name).join('\0'))
      return 'record field sets differ';
    return this.#pairs(
      left.map(([, type]) => type),
      right.map(([, type]) => type),
    );
  }

  /** A record against an open one: what the open one lists must be there, the rest is captured. */
  #open(
    open: NType & { kind: 'RecordWith' },
    closed: NType & { kind: 'Record' },
    openFirst: boolean,
  ): string | null {
    for (const [name, known] of fieldEntries(open.value.fields)) {
      const given = fieldType(closed.value, name);
      if (given === undefined) return `no field ${name}`;
      const reason = openFirst ? this.#unify(known, given) : this.#unify(given, known);
      if (reason !== null) return reason;
    }
    const left = fieldEntries(closed.value).filter(([name]) => !Object.hasOwn(open.value.fields, name));
    return this.#bind(open.value.rest, record(Object.fromEntries(left)));
  }

  #parts(a: NType, b: NType): string | null {
    if (a.kind === 'RecordWith') return 'open records do not unify';
    if ((a.kind === 'List' && b.kind === 'List') || (a.kind === 'Stream' && b.kind === 'Stream'))
      return this.#unify(a.value, b.value);
    if (a.kind === 'Map' && b.kind === 'Map')
      return this.#pairs([a.value.key, a.value.value], [b.value.key, b.value.value]);
    if (a.kind === 'Union' && b.kind === 'Union')
      return a.value.length === b.value.length ? this.#pairs(a.value, b.value) : 'arity differs';
    return sameType(a, b) ? null : 'incompatible type shapes';
  }

  #pairs(left: readonly NType[], right: readonly NType[]): string | null {
    for (const [i, a] of left.entries()) {
      const reason = this.#unify(a, right[i] ?? a);
      if (reason !== null) return reason;
    }
    return null;
  }
}

function mentions(type: NType, name: string): boolean {
  if (type.kind === 'Var') return type.value === name;
  if (type.kind === 'RecordWith' && type.value.rest === name) return true;
  let found = false;
  mapChildren(type, (inner) => {
    found ||= mentions(inner, name);
    return inner;
  });
  return found;
}
