import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why a registry's catalogue, or the code of one of its stages, is not used. */
export interface RegistryClientErrorDetails {
  /** No connection, no answer in time, or an answer of a registry that is not well (5xx, 429). */
  REGISTRY_UNREACHABLE: { readonly url: string; readonly reason: string };
  /** The registry wants a key, or another one. */
  REGISTRY_REFUSED: { readonly url: string; readonly status: number };
  /** What answers is no registry, or its answers do not fit together. */
  REGISTRY_ANSWER_INVALID: { readonly url: string; readonly problem: string };
  /** The key cannot be sent in a header. */
  REGISTRY_READ_KEY_INVALID: { readonly name: string };
  /** A stage of the registry is needed, and its catalogue was never read here. */
  REGISTRY_NO_CATALOGUE: {
    readonly url: string;
    readonly reason: string;
    /** What is wrong with the one that was kept; null where there is none. */
    readonly damage: string | null;
  };
  /** The code a record carries is not run: it is not the record's. */
  STAGE_CODE_REFUSED: { readonly stage: string; readonly id: string; readonly reason: string };
}

const message: Messages<RegistryClientErrorDetails> = {
  REGISTRY_UNREACHABLE: ({ url, reason }) => `the registry ${url} cannot be read: ${reason}`,
  REGISTRY_REFUSED: ({ url, status }) =>
    `the registry ${url} refuses this reader: HTTP ${status}, its key is missing or another one`,
  REGISTRY_ANSWER_INVALID: ({ url, problem }) =>
    `what answers at ${url} is not read as a registry: ${problem}`,
  REGISTRY_READ_KEY_INVALID: ({ name }) =>
    `${name} holds no key of a registry: expected visible ASCII characters, without spaces`,
  REGISTRY_NO_CATALOGUE: ({ url, reason, damage }) =>
    damage === null
      ? `the graph names a stage that is not of this program, and no catalogue of the registry ${url} was read yet: ${reason}`
      : `the graph names a stage that is not of this program, and of what was kept of the registry ${url} nothing is used, as ${damage}; it could not be read anew: ${reason}`,
  STAGE_CODE_REFUSED: ({ stage, id, reason }) =>
    `the code of stage ${stage} ${id.slice(0, 16)} is not run: ${reason}`,
};

const hints: Partial<{ readonly [C in keyof RegistryClientErrorDetails]: string }> = {
  REGISTRY_REFUSED: 'put the key its operator gave you into NOETHER_REGISTRY_API_KEY',
  STAGE_CODE_REFUSED: 'ask its author for the stage as it was signed; ./noether stage get STAGE shows it',
};

/** A registry or a stage's code that is not used. */
export class RegistryClientError<
  C extends keyof RegistryClientErrorDetails = keyof RegistryClientErrorDetails,
> extends CodedError<RegistryClientErrorDetails, C> {
  override readonly name = 'RegistryClientError';

  constructor(code: C, details: RegistryClientErrorDetails[C], options: CodedErrorOptions = {}) {
    const hint = options.hint ?? hints[code];
    super(code, details, message[code](details), hint === undefined ? options : { ...options, hint });
  }
}
