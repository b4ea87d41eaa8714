import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/stage';

/** Why a stage of the library that only computes cannot answer. */
export interface StdlibErrorDetails {
  /** The text is no number, or the result is one JSON cannot carry. */
  STDLIB_NUMBER_INVALID: { readonly stage: string; readonly value: string };
  /** Something is divided by zero. */
  STDLIB_DIVISION_BY_ZERO: { readonly stage: string };
  /** The two values have no order: they are neither two numbers nor two texts. */
  STDLIB_NOT_COMPARABLE: { readonly stage: string; readonly left: string; readonly right: string };
  /** The list has no element to give. */
  STDLIB_LIST_EMPTY: { readonly stage: string };
  /** Two lists that belong together have different lengths. */
  STDLIB_LENGTHS_DIFFER: { readonly stage: string; readonly left: number; readonly right: number };
  /** The result would be larger than the stage gives. `limit` in characters or elements. */
  STDLIB_RESULT_TOO_LARGE: { readonly stage: string; readonly limit: number };
  /** The text is no JSON. `line` and `column` count from 1. */
  STDLIB_JSON_INVALID: { readonly line: number; readonly column: number; readonly expected: string };
  /** The path does not lead to a value, or is none. */
  STDLIB_PATH_INVALID: { readonly path: string; readonly at: number; readonly reason: string };
  /** The schema is no JSON schema that can be used. */
  STDLIB_SCHEMA_INVALID: { readonly reason: string };
  /** The text is no table of the given delimiter. `line` counts from 1; null where it is not known. */
  STDLIB_CSV_INVALID: { readonly line: number | null; readonly reason: string };
  /** The text is no YAML, or none JSON can carry. */
  STDLIB_YAML_INVALID: { readonly reason: string };
  /** The pattern is no regular expression of the supported kind. */
  STDLIB_REGEX_INVALID: { readonly pattern: string; readonly reason: string };
  /** The hash algorithm is not one of those supported. */
  STDLIB_HASH_UNSUPPORTED: { readonly algorithm: string };
  /** The text is not in the encoding it should be in. */
  STDLIB_ENCODING_INVALID: { readonly encoding: string; readonly reason: string };
  /** The text is no absolute URL. */
  STDLIB_URL_INVALID: { readonly reason: string };
  /** The text is no date, or not one of the calendar. */
  STDLIB_DATE_INVALID: { readonly stage: string; readonly text: string; readonly expected: string };
  /** Neither the route nor the default is among the routes. */
  STDLIB_ROUTE_UNKNOWN: { readonly route: string; readonly fallback: string };
  /** A stage was called as often as allowed and failed each time. */
  STDLIB_RETRY_EXHAUSTED: { readonly stage_id: string; readonly attempts: number; readonly reason: string };
  /** A called stage did not answer in time and was interrupted. */
  STDLIB_TIMEOUT: { readonly stage_id: string; readonly timeout_ms: number };
  /** No stage was named to be called. */
  STDLIB_STAGES_EMPTY: { readonly stage: string };
  /** The graph asked for a failure. */
  STDLIB_FAILED: { readonly reason: string };
}

const message: Messages<StdlibErrorDetails> = {
  STDLIB_NUMBER_INVALID: ({ stage, value }) => `${stage}: ${value} is no finite number`,
  STDLIB_DIVISION_BY_ZERO: ({ stage }) => `${stage}: the right side is zero`,
  STDLIB_NOT_COMPARABLE: ({ stage, left, right }) =>
    `${stage}: expected two numbers or two texts, got ${left} and ${right}`,
  STDLIB_LIST_EMPTY: ({ stage }) => `${stage}: the list is empty; expected one element or more`,
  STDLIB_LENGTHS_DIFFER: ({ stage, left, right }) =>
    `${stage}: expected lists of the same length, got ${left} and ${right}`,
  STDLIB_RESULT_TOO_LARGE: ({ stage, limit }) => `${stage}: the result would be larger than ${limit}`,
  STDLIB_JSON_INVALID: ({ line, column, expected }) =>
    `the text is no JSON at line ${line}, column ${column}: expected ${expected}`,
  STDLIB_PATH_INVALID: ({ path, at, reason }) => `path ${path}, character ${at}: ${reason}`,
  STDLIB_SCHEMA_INVALID: ({ reason }) => `the schema is no usable JSON schema: ${reason}`,
  STDLIB_CSV_INVALID: ({ line, reason }) =>
    `the text is no such table${line === null ? '' : ` at line ${line}`}: ${reason}`,
  STDLIB_YAML_INVALID: ({ reason }) => `the text is no usable YAML: ${reason}`,
  STDLIB_REGEX_INVALID: ({ pattern, reason }) => `${pattern} is no usable regular expression: ${reason}`,
  STDLIB_HASH_UNSUPPORTED: ({ algorithm }) => `hash algorithm ${algorithm} is not supported; expected sha256`,
  STDLIB_ENCODING_INVALID: ({ encoding, reason }) => `the text is no ${encoding}: ${reason}`,
  STDLIB_URL_INVALID: ({ reason }) => `the text is no absolute URL: ${reason}`,
  STDLIB_DATE_INVALID: ({ stage, text, expected }) => `${stage}: ${text} is not ${expected}`,
  STDLIB_ROUTE_UNKNOWN: ({ route, fallback }) =>
    `no route fits ${route}, and the default ${fallback} is none of the routes`,
  STDLIB_RETRY_EXHAUSTED: ({ stage_id, attempts, reason }) =>
    `stage ${stage_id} failed ${attempts} times; the last time: ${reason}`,
  STDLIB_TIMEOUT: ({ stage_id, timeout_ms }) => `stage ${stage_id} did not answer within ${timeout_ms} ms`,
  STDLIB_STAGES_EMPTY: ({ stage }) => `${stage}: no stage is named; expected one or more in \`stages\``,
  STDLIB_FAILED: ({ reason }) => reason,
};

/** A stage of the library that only computes cannot answer. */
export class StdlibError<C extends keyof StdlibErrorDetails = keyof StdlibErrorDetails> extends CodedError<
  StdlibErrorDetails,
  C
> {
  override readonly name = 'StdlibError';

  constructor(code: C, details: StdlibErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}

/** A finite number. Throws STDLIB_NUMBER_INVALID for one JSON cannot carry. */
export function finite(stage: string, value: number): number {
  if (!Number.isFinite(value))
    throw new StdlibError('STDLIB_NUMBER_INVALID', { stage, value: String(value) });
  // JSON has no negative zero.
  return value === 0 ? 0 : value;
}
