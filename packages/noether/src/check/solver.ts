import { ANY, type Fields, NULL, type NType } from '../types/ntype.ts';
import { fieldType, list, record, takesAnything } from '../types/ntype.ts';
import { childTypes, mapChildren, mapFields, renameVariables } from '../types/children.ts';
import { type SubtypeOptions, fieldsOf, hasVariables, isRecord, mismatch } from '../types/subtype.ts';
import { show } from '../types/show.ts';
import { union, withField } from '../types/union.ts';
import { display } from '../types/value.ts';
import { BoundsTable } from './bounds.ts';

/** Deepest nesting of variables followed; a graph never comes near. */
const MAX_DEPTH = 64;

/**
 * Subtyping with variables. Stages' own variables take the type that flows into them; the graph's input starts as a
 * variable that collects what its uses need, field by field.
 */
export class Solver {
  readonly #bounds = new BoundsTable();
  #count = 0;
  /** What variables stood for at a version of the bounds. */
  #resolved = new WeakMap<NType, NType>();
  #resolvedAt = 0;
  readonly #options: SubtypeOptions = {
    onVariable: (sub, sup) => this.#onVariable(sub, sup),
    restField: (rest, field) => this.fieldOf({ kind: 'Var', value: rest }, field),
    bindRest: (rest, unlisted) => this.#flowInto(rest, unlisted),
    words: (type) => show(this.resolve(type)),
    attempt: (check) => this.#bounds.attempt(check),
  };

  /** A variable nothing is known of. */
  fresh(lower?: NType): NType & { kind: 'Var' } {
    this.#count += 1;
    const name = `_${this.#count}`;
    if (lower) this.#bounds.set(name, { lower });
    return { kind: 'Var', value: name };
  }

  /** Why `sub` does not fit `sup`; null when it does. Remembers what it needed of variables. */
  fits(sub: NType, sup: NType): string | null {
    return this.#bounds.attempt(() => mismatch(sub, sup, this.#options));
  }

  /** The type a variable stands for so far; other types as they are. */
  shallow(type: NType): NType {
    let at = type;
    for (let depth = 0; at.kind === 'Var' && depth < MAX_DEPTH; depth += 1) {
      const { lower } = this.#bounds.get(at.value);
      if (!lower) return at;
      at = lower;
    }
    return at;
  }

  /** The type of a field; undefined when the type has none. A free variable is a record that has it, from now on. */
  fieldOf(type: NType, name: string, create = true): NType | undefined {
    const at = this.shallow(type);
    switch (at.kind) {
      case 'Any':
        return ANY;
      case 'Record':
        return fieldType(at.value, name);
      case 'RecordWith':
        return (
          fieldType(at.value.fields, name) ??
          this.fieldOf({ kind: 'Var', value: at.value.rest }, name, create)
        );
      case 'Map':
        return union([NULL, at.value.value]);
      case 'Refined':
        return this.fieldOf(at.value.base, name, create);
      case 'Union':
        return this.#fieldOfUnion(at.value, name, create);
      case 'Var':
        return this.#fieldOfFree(at.value, name, create);
      case 'Bool':
      case 'Bytes':
      case 'List':
      case 'Null':
      case 'Number':
      case 'Stream':
      case 'Text':
      case 'VNode':
        return undefined;
    }
  }

  /** The type of a list's items; undefined when it is no list. A free variable is a list, from now on. */
  elementOf(type: NType): NType | undefined {
    const at = this.shallow(type);
    switch (at.kind) {
      case 'Any':
        return ANY;
      case 'List':
      case 'Stream':
        return at.value;
      case 'Refined':
        return this.elementOf(at.value.base);
      case 'Var': {
        const element = this.fresh();
        return this.fits(at, list(element)) === null ? element : undefined;
      }
      case 'Union': {
        const found = at.value.flatMap((variant) => this.elementOf(variant) ?? []);
        return found.length === 0 ? undefined : union(found);
      }
      case 'Bool':
      case 'Bytes':
      case 'Map':
      case 'Null':
      case 'Number':
      case 'Record':
      case 'RecordWith':
      case 'Text':
      case 'VNode':
        return undefined;
    }
  }

  /** The type with variables replaced by what is known of them; Any where nothing is. */
  resolve(type: NType, depth = 0): NType {
    if (!hasVariables(type)) return type;
    if (this.#resolvedAt !== this.#bounds.version) {
      this.#resolved = new WeakMap();
      this.#resolvedAt = this.#bounds.version;
    }
    const known = this.#resolved.get(type);
    if (known) return known;
    if (depth > MAX_DEPTH) return ANY;
    const resolved = this.#resolveParts(type, depth);
    this.#resolved.set(type, resolved);
    return resolved;
  }

  #resolveParts(type: NType, depth: number): NType {
    const inner = (nested: NType): NType => this.resolve(nested, depth + 1);
    if (type.kind === 'Var') {
      const { lower, upper } = this.#bounds.get(type.value);
      const known = lower ?? upper;
      return known ? inner(known) : ANY;
    }
    if (type.kind === 'Union') return union(type.value.map(inner));
    if (type.kind !== 'RecordWith') return mapChildren(type, inner);
    const rest = inner({ kind: 'Var', value: type.value.rest });
    const fields = mapFields(type.value.fields, inner);
    if (isRecord(rest)) return record({ ...fieldsOf(rest), ...fields });
    return rest.kind === 'Any' ? { kind: 'RecordWith', value: { fields, rest: 'rest' } } : record(fields);
  }

  /** The type with its own variables renamed, so that two nodes of one stage do not share them. */
  instantiate(types: readonly NType[]): readonly NType[] {
    if (!types.some(hasVariables)) return types;
    const names = new Map<string, string>();
    const rename = (name: string): string => {
      const known = names.get(name) ?? this.fresh().value;
      names.set(name, known);
      return known;
    };
    return types.map((type) => renameVariables(type, rename));
  }

  #fieldOfUnion(variants: readonly NType[], name: string, create: boolean): NType | undefined {
    const found = variants.map((variant) => this.fieldOf(variant, name, create));
    const known = found.filter((type) => type !== undefined);
    if (known.length === 0) return undefined;
    return known.length === found.length ? union(known) : union([NULL, ...known]);
  }

  #fieldOfFree(variable: string, name: string, create: boolean): NType | undefined {
    const { upper } = this.#bounds.get(variable);
    if (upper?.kind === 'Union' && create)
      this.#bounds.set(variable, { upper: withField(upper.value, name, this.fresh()) });
    if (upper && upper.kind !== 'Record')
      return this.fieldOf(this.#bounds.get(variable).upper ?? upper, name, create);
    const known = upper && fieldType(upper.value, name);
    if (known || !create) return known;
    const field = this.fresh();
    this.#bounds.set(variable, { upper: record({ ...upper?.value, [name]: field }) });
    return field;
  }

  #onVariable(sub: NType, sup: NType): string | null {
    if (sub.kind === 'Var' && sup.kind === 'Var' && sub.value === sup.value) return null;
    const known = this.shallow(sub);
    if (known.kind !== 'Var' && sub.kind === 'Var') return mismatch(known, sup, this.#options);
    if (sup.kind === 'Var') return this.#flowInto(sup.value, known);
    return known.kind === 'Var' && !takesAnything(sup) ? this.#need(known.value, sup) : null;
  }

  #flowInto(variable: string, sub: NType): string | null {
    const { lower, upper } = this.#bounds.get(variable);
    if (sub.kind === 'Any' && !lower) return null;
    if (this.#mentions(sub, variable, 0)) return null;
    if (!lower) this.#bounds.set(variable, { lower: sub, ...(upper && { upper }) });
    else if (this.fits(sub, lower) !== null)
      this.#bounds.set(variable, { lower: union([lower, sub]), ...(upper && { upper }) });
    return upper ? mismatch(sub, upper, this.#options) : null;
  }

  #mentions(type: NType, variable: string, depth: number): boolean {
    if (depth > MAX_DEPTH) return true;
    const inner = (nested: NType): boolean => this.#mentions(nested, variable, depth + 1);
    if (type.kind === 'Var') {
      const { lower } = this.#bounds.get(type.value);
      return type.value === variable || (lower !== undefined && inner(lower));
    }
    if (type.kind === 'RecordWith' && inner({ kind: 'Var', value: type.value.rest })) return true;
    return childTypes(type).some(inner);
  }

  /** A use needs the free variable to be `sup`, on top of what other uses need. */
  #need(variable: string, sup: NType): string | null {
    const { upper, needs } = this.#bounds.get(variable);
    // What it was needed as before it still is: bounds only narrow.
    if (needs === sup) return null;
    const met = upper ? this.#meet(upper, sup) : this.#open(sup);
    if (met === null)
      return `needed as ${display(sup)} here and as ${display(this.resolve(upper ?? ANY))} elsewhere`;
    this.#bounds.set(variable, { upper: met, ...(!hasVariables(sup) && { needs: sup }) });
    if (sup.kind === 'RecordWith') return this.#flowInto(sup.value.rest, { kind: 'Var', value: variable });
    return null;
  }

  /** A needed record, each field of it a variable that later uses may narrow. */
  #open(type: NType): NType {
    return isRecord(type) ? record(mapFields(fieldsOf(type), (needed) => this.#openField(needed))) : type;
  }

  #openField(needed: NType): NType {
    if (needed.kind === 'Var') return needed;
    const field = this.fresh();
    if (!takesAnything(needed)) this.#need(field.value, needed);
    return field;
  }

  /** The widest type that is both; null when there is none. */
  #meet(a: NType, b: NType): NType | null {
    if (a === b) return a;
    if (takesAnything(a)) return this.#open(b);
    if (takesAnything(b)) return a;
    if (a.kind === 'Var' || b.kind === 'Var') return this.fits(a, b) === null ? a : null;
    if (isRecord(a) && isRecord(b)) return this.#meetRecords(a, fieldsOf(a), fieldsOf(b));
    if (a.kind === 'Union' || b.kind === 'Union') return this.#meetUnions(a, b);
    if (a.kind === 'List' && b.kind === 'List') {
      const element = this.#meet(a.value, b.value);
      return element && list(element);
    }
    if (a.kind === 'Map' && b.kind === 'Map') {
      const value = this.#meet(a.value.value, b.value.value);
      return value && { kind: 'Map', value: { key: a.value.key, value } };
    }
    if (this.fits(a, b) === null) return a;
    return this.fits(b, a) === null ? b : null;
  }

  #meetRecords(a: NType, known: Fields, needed: Fields): NType | null {
    const changed = new Map<string, NType>();
    for (const [name, type] of Object.entries(needed)) {
      const field = fieldType(known, name);
      const met = field ? this.#meet(field, type) : this.#openField(type);
      if (met === null) return null;
      if (met !== field) changed.set(name, met);
    }
    return changed.size === 0 && a.kind === 'Record'
      ? a
      : record({ ...known, ...Object.fromEntries(changed) });
  }

  #meetUnions(a: NType, b: NType): NType | null {
    const left = a.kind === 'Union' ? a.value : [a];
    const right = b.kind === 'Union' ? b.value : [b];
    const met = left.flatMap((x) =>
      right.flatMap((y) => {
        let found: NType | null = null;
        this.#bounds.attempt(() => {
          found = this.#meet(x, y);
          return found === null ? 'none' : null;
        });
        return found === null ? [] : [found as NType];
      }),
    );
    return met.length === 0 ? null : union(met);
  }
}
