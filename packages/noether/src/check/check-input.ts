import type { Json } from '../ports.ts';
import { jsonFault } from '../types/json-fault.ts';
import { type ValueProblem, isObject, valueMismatch } from '../types/value.ts';
import { branchProblems } from './branch-input.ts';
import type { Checked } from './check.ts';
import { type CheckProblem, problemOf } from './problem.ts';
import { refusedLiterals } from './policy.ts';

/**
 * What keeps a checked graph from running on a value: no JSON, not of the type the graph needs, or what a policy does not
 * allow. Empty when nothing does. The check of the graph itself can be kept for every input.
 */
export function checkInputValue(
  checked: Pick<Checked, 'input' | 'branches' | 'policies'>,
  input: unknown,
): readonly CheckProblem[] {
  const fault = jsonFault(input);
  const value = input as Json;
  const wrong: ValueProblem | null = fault ?? valueMismatch(value, checked.input);
  const problems: CheckProblem[] = [];
  if (wrong) {
    const { expected, actual, nearest = null } = wrong;
    const path = wrong.path === '' ? 'input' : `input${wrong.path.startsWith('[') ? '' : '.'}${wrong.path}`;
    const hint = nearest === null ? '' : `; did you mean \`${nearest}\`?`;
    const message = `expected ${expected}, got ${actual}${hint}`;
    problems.push(problemOf(path, 'GRAPH_INPUT_INVALID', message, { expected, actual, nearest }));
  }
  if (!wrong) problems.push(...branchProblems(checked.branches, value));
  if (fault || !isObject(value)) return problems;
  for (const policy of checked.policies) problems.push(...refusedLiterals('input', value, policy));
  return problems;
}
