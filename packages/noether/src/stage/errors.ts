import { CodedError, type CodedErrorOptions, type Messages } from '../errors.ts';

/** Why a stage cannot be catalogued or called. */
export interface StageErrorDetails {
  /** A schema of the stage has no type in graphs. */
  STAGE_TYPE_UNSUPPORTED: { readonly stage: string; readonly path: string; readonly schema: string };
  /** Two stages of one catalog have the same name. */
  STAGE_NAME_TAKEN: { readonly stage: string };
  /** The value given to the stage does not fit its input schema. */
  STAGE_INPUT_INVALID: { readonly stage: string; readonly path: string; readonly issues: readonly string[] };
  /** The stage answered with something its output schema refuses. */
  STAGE_OUTPUT_INVALID: { readonly stage: string; readonly path: string; readonly issues: readonly string[] };
  /** The stage threw. `cause_code` is its own code, null for an error without one. */
  STAGE_FAILED: {
    readonly stage: string;
    readonly path: string;
    readonly cause_code: string | null;
    readonly reason: string;
  };
  /** The runner has no client for a capability the stage names. */
  STAGE_CAPABILITY_MISSING: { readonly stage: string; readonly path: string; readonly capability: string };
  /** A remote stage asks for a credential the runner does not know. */
  STAGE_CREDENTIAL_MISSING: { readonly path: string; readonly alias: string };
  /** A remote stage could not be reached or did not answer as one. */
  STAGE_REMOTE_FAILED: { readonly url: string; readonly path: string; readonly reason: string };
  /** The stage store knows the stage, but nothing here can run it. */
  STAGE_NO_CODE: { readonly stage: string; readonly id: string; readonly language: string | null };
  /** Records of a stage store are not what they were when they were put there. */
  STAGE_TAMPERED: { readonly store: string; readonly faults: readonly TamperedField[] };
  /** The record is intact, but signed by nobody, or by a key that is not trusted here. */
  STAGE_UNTRUSTED: {
    readonly stage: string;
    readonly id: string;
    readonly reason: 'unsigned' | 'unsealed' | 'author' | 'sealer';
    readonly public_key: string | null;
  };
  /** A spec file is no stage; every issue is listed. */
  STAGE_SPEC_INVALID: { readonly where: string; readonly issues: readonly string[] };
  /** A stage that arrives with a signature that is not its signer's. */
  STAGE_SIGNATURE_INVALID: { readonly stage: string; readonly id: string };
  /** Text that should be a key or signature is no hex of its length. */
  STAGE_KEY_INVALID: { readonly what: string; readonly digits: number };
  /** The store has a record with this id already. */
  STAGE_EXISTS: { readonly stage: string; readonly id: string };
  /** The store has no record with this id. */
  STAGE_UNKNOWN: { readonly reference: string; readonly nearest: readonly string[] };
  /** A reference fits several records of the store. */
  STAGE_AMBIGUOUS: { readonly reference: string; readonly matches: readonly string[] };
  /** A record's lifecycle does not lead there. */
  STAGE_TRANSITION_INVALID: {
    readonly stage: string;
    readonly id: string;
    readonly from: string;
    readonly to: string;
  };
  /** A deprecated stage needs a successor that is in the store and does not lead back to it. */
  STAGE_SUCCESSOR_INVALID: { readonly stage: string; readonly successor: string; readonly reason: string };
  /** The store has a stage with the same types that says almost the same. */
  STAGE_DUPLICATE: {
    readonly stage: string;
    readonly other: string;
    readonly id: string;
    readonly score: number;
  };
}

/** A field of a stored record that is not what it should be. */
export interface TamperedField {
  readonly stage: string;
  readonly id: string;
  readonly field: string;
  /** Null: nothing is stored. */
  readonly stored: string | null;
  /** Null: it cannot be computed, as a signature. */
  readonly recomputed: string | null;
}

const message: Messages<StageErrorDetails> = {
  STAGE_TYPE_UNSUPPORTED: ({ stage, path, schema }) =>
    `stage ${stage}: ${path} is a schema of kind ${schema}, which has no type in graphs`,
  STAGE_NAME_TAKEN: ({ stage }) => `two stages are called ${stage}; a name belongs to one stage`,
  STAGE_INPUT_INVALID: ({ stage, path, issues }) =>
    `${path}: stage ${stage} refuses its input: ${issues.join('; ')}`,
  STAGE_OUTPUT_INVALID: ({ stage, path, issues }) =>
    `${path}: stage ${stage} gave an output its own schema refuses: ${issues.join('; ')}`,
  STAGE_FAILED: ({ stage, path, reason }) => `${path}: stage ${stage} failed: ${reason}`,
  STAGE_CAPABILITY_MISSING: ({ stage, path, capability }) =>
    `${path}: stage ${stage} needs the capability ${capability}, which this runner does not provide`,
  STAGE_CREDENTIAL_MISSING: ({ path, alias }) => `${path}: this runner has no credential \`${alias}\``,
  STAGE_REMOTE_FAILED: ({ url, path, reason }) => `${path}: remote call to ${url} failed: ${reason}`,
  STAGE_NO_CODE: ({ stage, id, language }) =>
    `stage ${stage} ${short(id)} is known to the stage store, but ${language === null ? 'its code is not here' : `its ${language} code cannot run here`}`,
  STAGE_TAMPERED: ({ store, faults }) => `${store} was changed: ${listed(faults.map(faultText))}`,
  STAGE_UNTRUSTED: ({ stage, id, reason, public_key }) =>
    `stage ${stage} ${short(id)} ${DISTRUST[reason]}${public_key === null ? '' : ` ${public_key}`}`,
  STAGE_SPEC_INVALID: ({ where, issues }) => `${where} is no stage: ${issues.join('; ')}`,
  STAGE_SIGNATURE_INVALID: ({ stage, id }) =>
    `the signature of stage ${stage} ${short(id)} is not the one its signer makes for this id`,
  STAGE_KEY_INVALID: ({ what, digits }) => `a ${what} is ${digits} hex digits`,
  STAGE_EXISTS: ({ stage, id }) => `stage ${stage} ${short(id)} is in the store already`,
  STAGE_UNKNOWN: ({ reference, nearest }) =>
    `no stage ${JSON.stringify(reference)} in the store${nearest.length === 0 ? '' : `; did you mean ${nearest.join(' or ')}?`}`,
  STAGE_AMBIGUOUS: ({ reference, matches }) =>
    `${JSON.stringify(reference)} fits ${matches.length} stages: ${listed(matches)}`,
  STAGE_TRANSITION_INVALID: ({ stage, id, from, to }) =>
    `stage ${stage} ${short(id)} is ${from} and cannot become ${to}; Draft → Active → Deprecated or Tombstone are the ways there are`,
  STAGE_SUCCESSOR_INVALID: ({ stage, successor, reason }) =>
    `stage ${stage} cannot have the successor ${short(successor)}: ${reason}`,
  STAGE_DUPLICATE: ({ stage, other, id, score }) =>
    `stage ${stage} has the types of ${other} ${short(id)} and says almost the same (${Math.round(score * 100)} %)`,
};

const DISTRUST = {
  unsigned: 'is signed by nobody',
  unsealed: 'was not put there by this program: no seal covers its description, examples and code',
  author: 'is signed by a key that is not trusted here:',
  sealer: 'was put into the store by a key that is not trusted here:',
} as const;

/** Most items a message lists. */
const LISTED = 5;

function listed(items: readonly string[]): string {
  const more = items.length > LISTED ? [`and ${items.length - LISTED} more`] : [];
  return [...items.slice(0, LISTED), ...more].join('; ');
}

function short(id: string): string {
  return id.slice(0, 16);
}

function faultText({ stage, id, field, stored, recomputed }: TamperedField): string {
  const held = stored === null ? 'nothing' : short(stored);
  const said = recomputed === null ? 'which does not hold' : `recomputed ${short(recomputed)}`;
  return `stage ${stage} ${short(id)}: ${field} is stored as ${held}, ${said}`;
}

/** A stage cannot be catalogued or called. */
export class StageError<C extends keyof StageErrorDetails = keyof StageErrorDetails> extends CodedError<
  StageErrorDetails,
  C
> {
  override readonly name = 'StageError';

  constructor(code: C, details: StageErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
