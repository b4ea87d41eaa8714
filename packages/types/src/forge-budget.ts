import type { Timestamp } from './time.ts';

/** Who asks a forge: what is left of a limit is kept for people. */
export type ForgeAsker = 'tick' | 'person';

/** What a request does; a `create` makes content, which github.com limits on its own. */
export type ForgeRequestKind = 'read' | 'write' | 'create';

/** Whose limit a request counts against: a host, and the token by the beginning of its SHA-256. */
export interface ForgeAccount {
  readonly host: string;
  readonly token_id: string;
}

/**
 * Why nothing is asked: the window's requests are `used_up`, the last of them are `kept` for people, the host asks for a slower pace
 * (`slow_down`), too much was made in a minute or an hour (`creates`), or the host fails again and again (`outage`).
 */
export type ForgeHold = 'used_up' | 'kept' | 'slow_down' | 'creates' | 'outage';

/** Whether a request may be made now. */
export type ForgeLeave =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly hold: ForgeHold;
      readonly until: Timestamp;
      /** Requests of the window; null when the host never told. */
      readonly limit: number | null;
    };

/** What a host said of its limit with an answer. */
export interface ForgeToldLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly reset_at: Timestamp;
}

/**
 * One budget of requests per host and token, shared by all processes of a home. Bookkeeping never fails a request: where it cannot be
 * written, the request is made.
 */
export interface ForgeBudget {
  /** Takes one request from what is left, or says until when none is to be made. */
  reserve(
    account: ForgeAccount,
    request: { readonly kind: ForgeRequestKind; readonly who: ForgeAsker },
  ): Promise<ForgeLeave>;
  /** The host answered, whatever it said. `free`: the answer cost nothing (304). */
  answered(account: ForgeAccount, told: ForgeToldLimit | null, free: boolean): Promise<void>;
  /** The host refused for a limit: nothing is asked until its end. */
  limited(account: ForgeAccount, hold: 'used_up' | 'slow_down', until: Timestamp): Promise<void>;
  /** The host has a fault, or no answer came: after the third time in a row it is left alone for a while. */
  failed(account: ForgeAccount): Promise<void>;
}
