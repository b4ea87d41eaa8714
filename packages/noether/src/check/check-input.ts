import type { Json } from '../ports.ts';
import { jsonFault } from '../types/json-fault.ts';
import { isObject, valueMismatch } from '../types/value.ts';
import type { Checked } from './check.ts';
import { type CheckProblem, problemOf } from './problem.ts';
import { refusedLiterals } from './policy.ts';

/**
 * What keeps a checked graph from running on a value: no JSON, not of the type the graph needs, or what a policy does not
 * allow. Empty when nothing does. The check of the graph itself can be kept for every input.
 */
export function checkInputValue(
  checked: Pick<Checked, 'input' | 'policies'>,
  input: unknown,
): readonly CheckProblem[] {
  const fault = jsonFault(input);
  const value = input as Json;
  const wrong = fault ?? valueMismatch(value, checked.input);
  const problems: CheckProblem[] = [];
  if (wrong) {
    const path = wrong.path === '' ? 'input' : `input${wrong.path.startsWith('[') ? '' : '.'}${wrong.path}`;
    const { expected, actual } = wrong;
    problems.push(
      problemOf(path, 'GRAPH_INPUT_INVALID', `expected ${expected}, got ${actual}`, {
        expected,
        actual,
      }),
    );
  }
  if (fault || !isObject(value)) return problems;
  for (const policy of checked.policies) problems.push(...refusedLiterals('input', value, policy));
  return problems;
}
