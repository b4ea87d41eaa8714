import { branchInput } from '../run/values.ts';
import type { Json } from '../ports.ts';
import { ANY, NULL, type NType, fieldType, isNullable } from '../types/ntype.ts';
import { fieldsOf, isRecord } from '../types/subtype.ts';
import { union } from '../types/union.ts';
import { display, isObject, valueMismatch } from '../types/value.ts';
import { type CheckProblem, problemOf } from './problem.ts';
import type { Checking } from './state.ts';

/** A branch of a Parallel over an input nothing was known of. */
export interface OpenBranch {
  readonly path: string;
  readonly name: string;
  /** Type of the Parallel's input. */
  readonly input: NType;
  /** What it was taken to get: the input's field of its name, or the whole. */
  readonly takes: 'field' | 'whole';
  /** Type of what the branch needs. */
  readonly needed: NType;
}

/** What a branch over the graph's own input needs: which of field and whole it gets depends on the value. */
export type InputBranch = Pick<OpenBranch, 'path' | 'name' | 'takes' | 'needed'>;

/** What a Parallel branch gets of an input: its field, the whole where there is none, either where the field may be absent. */
export function branchType(input: NType, name: string, check: Checking): NType {
  const at = check.solver.shallow(input);
  switch (at.kind) {
    case 'Any':
      return ANY;
    case 'Record':
    case 'RecordWith': {
      const field = check.solver.fieldOf(at, name, false);
      if (field === undefined) return at;
      const known = check.solver.resolve(field);
      return known.kind === 'Any' || !isNullable(known) ? field : union([field, at]);
    }
    case 'Map':
      return union([at.value.value, at]);
    case 'Union':
      return union(at.value.map((variant) => branchType(variant, name, check)));
    case 'Refined': {
      const inner = branchType(at.value.base, name, check);
      return inner === check.solver.shallow(at.value.base) ? at : inner;
    }
    default:
      return at;
  }
}

/** The variants of a union that nothing is known of yet. */
export function openVariants(type: NType, check: Checking): readonly NType[] {
  const at = check.solver.shallow(type);
  if (at.kind === 'Union') return at.value.flatMap((variant) => openVariants(variant, check));
  return check.isOpen(at) ? [at] : [];
}

/** What a Merge source gets of an input: its field or null of an object, the whole of anything else. */
export function sourceType(input: NType, name: string, check: Checking): NType {
  const at = check.solver.shallow(input);
  if (at.kind === 'Union') return union(at.value.map((variant) => sourceType(variant, name, check)));
  return check.mayBeObject(at) ? (check.solver.fieldOf(at, name) ?? NULL) : at;
}

/**
 * Notes branches that would get a field although they need the whole input, or the whole although they need a field.
 * Gives those where that depends on the value the graph is run on.
 */
export function checkBranches(root: NType & { kind: 'Var' }, check: Checking): readonly InputBranch[] {
  return check.branches.flatMap(({ path, name, input, takes, needed: need }) => {
    const needed = check.solver.resolve(need);
    if (needed.kind === 'Any') return [];
    const known = check.solver.resolve(input);
    const ambiguous = (): void =>
      check.problem(
        path,
        'GRAPH_BRANCH_AMBIGUOUS',
        `${gets(name, 'field')}, but needs the whole input; rename the branch`,
      );
    if (takes === 'whole' && mayHave(known, name)) ambiguous();
    else if (restsOn(input, root, check)) return [{ path, name, takes, needed }];
    else if (takes === 'whole' && mayBeMap(known)) ambiguous();
    else if (takes === 'field' && isNullable(needed)) {
      check.problem(
        path,
        'GRAPH_BRANCH_AMBIGUOUS',
        `${gets(name, 'whole')} where that has no field \`${name}\`; rename the branch`,
      );
    }
    return [];
  });
}

/** Branches that would get something else of this value than they need. */
export function branchProblems(branches: readonly InputBranch[], value: Json): readonly CheckProblem[] {
  return branches.flatMap(({ path, name, takes, needed }) => {
    const has = isObject(value) && Object.hasOwn(value, name);
    if (has === (takes === 'field')) return [];
    const wrong = valueMismatch(branchInput(value, name), needed);
    // What Parallels inside were found to get holds for the whole input alone.
    const nests = branches.some((other) => other.path.startsWith(`${path}.`));
    if (!wrong && !nests) return [];
    const { expected, actual } = wrong ?? { expected: 'the whole input', actual: 'its field' };
    const message = `${gets(name, has ? 'field' : 'whole')}: expected ${expected}, got ${actual}; rename the branch`;
    const facts = { expected: display(needed), actual };
    return [problemOf(path, 'GRAPH_BRANCH_AMBIGUOUS', message, facts)];
  });
}

function gets(name: string, what: 'field' | 'whole'): string {
  return `branch \`${name}\` would get ${what === 'field' ? `the input's field \`${name}\`` : 'the whole input'}`;
}

function mayHave(type: NType, name: string): boolean {
  if (type.kind === 'Union') return type.value.some((variant) => mayHave(variant, name));
  return isRecord(type) && fieldType(fieldsOf(type), name) !== undefined;
}

/** Whether a value of the type may be a map: what keys it has nobody knows. */
function mayBeMap(type: NType): boolean {
  if (type.kind === 'Union') return type.value.some(mayBeMap);
  return type.kind === 'Map' || (type.kind === 'Refined' && mayBeMap(type.value.base));
}

/** Whether a type is the graph's input, with or without names laid over it. */
function restsOn(type: NType, root: NType & { kind: 'Var' }, check: Checking): boolean {
  const at = check.solver.shallow(type);
  if (at.kind === 'RecordWith') return restsOn({ kind: 'Var', value: at.value.rest }, root, check);
  return at.kind === 'Var' && at.value === root.value;
}
