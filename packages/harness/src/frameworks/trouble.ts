import type { EndClass, Timestamp } from '@caloron/types';

/** What a program says went wrong between it and its models, or with the run as a whole. */
export interface Trouble {
  /** Its words, with the protocol's own names in front where it has them. */
  readonly message: string;
  /** The HTTP status of the provider's answer, where the program tells it. */
  readonly status?: number;
  /** When the limit ends, where the program tells it as a number. */
  readonly reset_at?: Timestamp;
  readonly reset_in_ms?: number;
  /** Where nothing has to be guessed. */
  readonly class?: EndClass;
}
