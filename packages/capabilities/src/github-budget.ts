import type { ForgeAccount, ForgeAsker, ForgeBudget, ForgeHold, ForgeLeave, Timestamp } from '@caloron/types';

import { ForgeError, type ForgeFacts } from './forge-errors.ts';
import { type AnswerHeaders, isUsedUp, toldLimit } from './github-limits.ts';

/** What a request asks for, as far as a budget knows. */
interface Asked {
  readonly doing: string;
  readonly method: string;
}

/** Stands before a repository's requests: asks the budget for each, and tells it what came of it. */
export interface BudgetGate {
  /** Throws FORGE_PARKED when nothing is to be asked now. */
  enter(request: Asked): Promise<void>;
  /** The host answered with these headers; `status` 304 costs nothing. */
  answered(headers: AnswerHeaders, status: number): Promise<void>;
  /** The request failed; headers when an answer came. */
  failed(error: ForgeError, headers: AnswerHeaders | undefined): Promise<void>;
}

/** What a gate is made of. */
export interface GateDeps {
  /** Absent: every request is made. */
  readonly budget: ForgeBudget | undefined;
  readonly account: ForgeAccount;
  readonly who: ForgeAsker;
  readonly repo: string;
  readonly now: () => Timestamp;
}

const HOLDS: Readonly<Record<ForgeHold, (limit: number | null) => string>> = {
  used_up: (limit) =>
    `the limit of ${limit === null ? 'requests' : `${String(limit)} requests an hour`} is used up`,
  kept: (limit) =>
    `what is left of ${limit === null ? 'its limit' : `${String(limit)} requests an hour`} is kept for people`,
  slow_down: () => 'the host asks for a slower pace',
  creates: () => 'no more issues, comments and reviews are made in so short a time',
  outage: () => 'the host failed several times in a row',
};

/** Why a host is left alone, in words that follow "nothing is asked there: ". */
export function holdWords(hold: ForgeHold, limit: number | null): string {
  return HOLDS[hold](limit);
}

const GOES_ON = 'ticks go on by themselves then; give a command of your own again after that';
const HINTS: Readonly<Record<ForgeHold, string>> = {
  used_up: GOES_ON,
  kept: 'ticks go on by themselves then; commands that you type still get through',
  slow_down: GOES_ON,
  creates: GOES_ON,
  outage: 'see whether the host can be reached; ticks ask again then, a command that you type asks at once',
};

function parked(
  leave: Extract<ForgeLeave, { ok: false }>,
  facts: Omit<ForgeFacts, 'status' | 'answer'>,
): ForgeError {
  const answer = holdWords(leave.hold, leave.limit);
  const details = { ...facts, status: null, answer, reset_at: leave.until };
  return new ForgeError('FORGE_PARKED', details, { retryable: true, hint: HINTS[leave.hold] });
}

/** A post makes content; other methods change what is there. */
function kindOf(method: string): 'read' | 'write' | 'create' {
  if (method === 'GET') return 'read';
  return method === 'POST' ? 'create' : 'write';
}

/** The gate of one repository's requests. */
export function budgetGate({ budget, account, who, repo, now }: GateDeps): BudgetGate {
  const nothing = (): Promise<void> => Promise.resolve();
  if (budget === undefined) return { enter: nothing, answered: nothing, failed: nothing };
  const told = (headers: AnswerHeaders, free: boolean): Promise<void> =>
    budget.answered(account, toldLimit(headers, now()) ?? null, free);
  return {
    enter: async ({ doing, method }) => {
      const leave = await budget.reserve(account, { kind: kindOf(method), who });
      if (!leave.ok) throw parked(leave, { host: account.host, repo, doing });
    },
    answered: (headers, status) => told(headers, status === 304),
    failed: async (error, headers) => {
      if (error.code === 'FORGE_UNAVAILABLE') return budget.failed(account);
      if (headers !== undefined) await told(headers, false);
      if (!isLimited(error) || error.details.reset_at === null) return undefined;
      // A limit that an app met while its token was made comes without headers: they tell of the app's own requests.
      const used_up = headers !== undefined && isUsedUp(headers);
      return budget.limited(account, used_up ? 'used_up' : 'slow_down', error.details.reset_at);
    },
  };
}

function isLimited(error: ForgeError): error is ForgeError<'FORGE_RATE_LIMITED'> {
  return error.code === 'FORGE_RATE_LIMITED';
}
