import type { Feedback, Order } from '@caloron/types';

import type { GroupExit } from '../run-group.ts';
import type { Trouble } from './trouble.ts';

/** What a framework is asked to do once. */
export interface FrameworkCall {
  readonly order: Order;
  /** The whole prompt; also in `prompt_file`. */
  readonly prompt: string;
  readonly prompt_file: string;
  /** A directory outside the worktree that the agent's program may write. */
  readonly directory: string;
  /** The command line that runs another one in the agent's sandbox; the same where there is none. The program of an agent is only run through it. */
  readonly confine: (argv: readonly string[]) => readonly string[];
  /** Whether CALORON_ALLOW_DANGEROUS names this framework. */
  readonly dangerous: boolean;
  /** The environment the shell gave; each framework takes its own few of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
  /** Everything it prints: goes to the log and counts as progress. */
  readonly onOutput: (text: string) => void;
  /** Hands on what the shell says meanwhile, to a program that can be spoken to while it works; gives what ends that. Others read it in their next prompt. */
  readonly onNudge?: (take: (message: string) => void) => () => void;
  /** The program's own session to go on with; absent or null begins a new one. */
  readonly session?: Session | null;
  /** Told as soon as the program names its session, and when more is known of it. */
  readonly onSession?: (session: Session) => void;
  /** Told what the run has used so far, by model, each time that changes. */
  readonly onUsage?: (usage: readonly HeardUsage[]) => void;
  /** Aborted when the agent is to finish what it is at and to end, with its work left where it is. */
  readonly pause?: AbortSignal;
}

/** A conversation that an agent's program keeps and can go on with. */
export interface Session {
  /** The program's own name for it. */
  readonly id: string;
  /** What the whole session had used when that was last told, by programs that count so; empty for others. */
  readonly used: readonly HeardUsage[];
}

/** What came of it. */
export interface FrameworkResult extends GroupExit {
  /** What the agent itself said, without the protocol around it; the end of it when it was long. */
  readonly text: string;
  readonly tokens_used: number;
  /** Tokens by model and kind, as far as the program tells them so. */
  readonly usage?: readonly HeardUsage[];
  /** The program's own session, where it names one. */
  readonly session?: Session | null;
  /** Whether it was ended for having printed nothing for as long as option `silence_ms` allows. */
  readonly silent?: boolean;
  /** Feedback given beside the text. */
  readonly feedback: Partial<Feedback> | null;
  /** What the run ended at, as the program tells it; null when it tells of nothing, or got over it. */
  readonly trouble: Trouble | null;
}

/** An agent's program. */
export interface Framework {
  readonly name: string;
  /** True for a language model: it can review and be asked for feedback. */
  readonly model: boolean;
  /** True when `rebase` is done by the harness itself. */
  readonly scripted: boolean;
  run(call: FrameworkCall): Promise<FrameworkResult>;
}

/** Tokens a model used, by kind; a provider that counts cached ones as input too has them taken out of `input` here. */
export interface HeardUsage {
  /** As the program names it; null when it does not say. */
  readonly model: string | null;
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
  /** What the program itself says it cost, in US dollars. */
  readonly cost_usd?: number;
  /** The message or turn these numbers are of: told again, they replace what was told of it before. Absent: one of its own. */
  readonly of?: string;
}

/** Pieces of meaning in one line of a framework's output. */
export interface Heard {
  /** Something the agent said. */
  readonly text?: string;
  /** The agent's last word: replaces what it said before. */
  readonly final?: string;
  /** Tokens used since the last count. */
  readonly tokens?: number;
  /** What one message or turn used. A line that gives usage gives no `tokens`. */
  readonly usage?: HeardUsage;
  /** What the whole run has used so far, by model: replaces all that was heard of it before. A line that gives totals gives no `tokens`. */
  readonly totals?: readonly HeardUsage[];
  /** What the whole session has used, earlier runs of it included, by programs that count so. */
  readonly session_totals?: readonly HeardUsage[];
  /** The program's own name of its session. */
  readonly session?: string;
  /** Whether a step of the agent is finished and the next not begun: the moment to pause it. */
  readonly between?: boolean;
  /** Where a step of the agent stands. One that begins again, unfinished, in the same message is one whose answer broke off. */
  readonly step?: { readonly begun_in: string } | 'finished';
  /** Something that stands in the agent's way; it counts unless the agent gets over it. */
  readonly trouble?: Trouble;
  /** Whether the agent went on or ended well: trouble heard before is over. */
  readonly well?: boolean;
}
