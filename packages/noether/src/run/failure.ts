import type { CheckProblem } from '../check/problem.ts';
import { CodedError, messageOf } from '../errors.ts';
import { pathOf, publicCode, saidOf } from './call-stage.ts';
import type { Redactor } from './redact.ts';

/** Why a run ended without an output. */
export interface RunFailure {
  readonly code: string;
  readonly message: string;
  /** What the stage said that failed, without its place; absent where it said nothing under a code of its own. */
  readonly said?: string;
  /** Node it happened at; null when it concerns the run as a whole. */
  readonly path: string | null;
  readonly hint?: string;
  readonly problems?: readonly CheckProblem[];
}

/** What a thrown value says of the run it ended. */
export function failureOf(error: unknown): RunFailure {
  const hint = error instanceof CodedError ? error.hint : undefined;
  const said = saidOf(error);
  return {
    code: publicCode(error),
    message: messageOf(error),
    ...(said !== undefined && { said }),
    path: pathOf(error),
    ...(hint !== undefined && { hint }),
  };
}

/** Whether what was thrown means that there is nothing to do now. */
export function skips(error: unknown): boolean {
  return error instanceof CodedError && error.skips;
}

/** A failure without its secrets: in whatever it says, where it says it happened too. */
export function hidden(failure: RunFailure, { text }: Redactor): RunFailure {
  const told = (given: string | null): string | null => (given === null ? null : text(given));
  const { message, said, path, hint, problems } = failure;
  return {
    ...failure,
    message: text(message),
    ...(said !== undefined && { said: text(said) }),
    path: told(path),
    ...(hint !== undefined && { hint: text(hint) }),
    ...(problems && {
      problems: problems.map((problem) => ({
        ...problem,
        path: text(problem.path),
        message: text(problem.message),
        expected: told(problem.expected),
        actual: told(problem.actual),
        nearest: told(problem.nearest),
      })),
    }),
  };
}
