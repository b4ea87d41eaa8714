import type { Heard, HeardUsage, Session } from './framework.ts';
import { tokensOf, usageCount } from './usage-count.ts';
import type { Trouble } from './trouble.ts';

/** Characters of what an agent said that are kept, from the end. */
const TEXT_LIMIT = 200_000;

/** Characters of one line: what is longer is no event of any program. */
const LINE_LIMIT = 64 * 1024 * 1024;

/** The name of a session: it becomes an argument, so it is none that looks like an option. */
const SESSION_NAME = /^[A-Za-z0-9][\w.-]{0,127}$/;

/** Of a program that asks its provider again without a word of why. */
const BROKEN_OFF: Trouble = {
  message: "the provider's answer broke off, and the step was begun anew",
  class: 'transient',
};

/** What was heard of a run. */
export interface HeardRun {
  readonly text: string;
  readonly tokens_used: number;
  readonly usage: readonly HeardUsage[];
  readonly session: Session | null;
  readonly trouble: Trouble | null;
  /** Trouble told on stderr: since nothing says whether it came before or after what was told on stdout, it counts only for a run that failed. */
  readonly murmur: Trouble | null;
}

/** What is wanted of a run while it goes on. */
export interface ListenerDeps {
  readonly hear: (line: string) => Heard;
  /** The meaning of one line of stderr; none without it. */
  readonly hear_error: ((line: string) => Heard) | undefined;
  readonly session: Session | null;
  readonly onSession: (session: Session) => void;
  readonly onUsage: (usage: readonly HeardUsage[]) => void;
  /** Trouble that came up, or that is over (null). */
  readonly onTrouble: (trouble: Trouble | null) => void;
  /** A step is finished and the next not begun. */
  readonly onBetween?: () => void;
}

/** Puts the meaning of a program's lines together; each stream has lines of its own. */
export interface Listener {
  push(text: string, stream: 'stdout' | 'stderr'): void;
  /** What was heard, with what came after the last line's end. */
  end(): HeardRun;
}

/** A listener to one run. */
export function listener(deps: ListenerDeps): Listener {
  let said = '';
  let final: string | undefined;
  let tokens = 0;
  let trouble: Trouble | null = null;
  let murmur: Trouble | null = null;
  let id = deps.session?.id ?? null;
  let begun_in: string | null = null;
  const count = usageCount(deps.session?.used ?? []);
  const session = (): Session | null => (id === null ? null : { id, used: count.session });

  /** True when the name is a new one. */
  const name = (told: string | undefined): boolean => {
    if (told === undefined || told === id || !SESSION_NAME.test(told)) return false;
    id = told;
    return true;
  };
  /** True when a step begins that had begun before and was not finished. */
  const again = (step: Heard['step']): boolean => {
    if (step === undefined) return false;
    const before = begun_in;
    begun_in = step === 'finished' ? null : step.begun_in;
    return begun_in !== null && begun_in === before;
  };
  const take = (heard: Heard): void => {
    if (heard.well === true && (trouble !== null || murmur !== null))
      deps.onTrouble((trouble = murmur = null));
    if (again(heard.step)) deps.onTrouble((trouble ??= BROKEN_OFF));
    if (heard.trouble !== undefined) deps.onTrouble((trouble = heard.trouble));
    if (heard.text !== undefined) said = (said + heard.text).slice(-TEXT_LIMIT);
    if (heard.final !== undefined) final = heard.final;
    if (heard.tokens !== undefined && Number.isFinite(heard.tokens)) tokens += heard.tokens;
    const other = name(heard.session);
    const used = count.hear(heard);
    if (used) deps.onUsage(count.usage);
    const known = session();
    if (heard.between === true) deps.onBetween?.();
    if (known !== null && (other || heard.session_totals !== undefined)) deps.onSession(known);
  };
  const out = lines((line) => take(deps.hear(line)));
  const { hear_error } = deps;
  const err = lines((line) => {
    const told = hear_error?.(line);
    if (told?.trouble !== undefined) deps.onTrouble((murmur = told.trouble));
    const known = name(told?.session) ? session() : null;
    if (known !== null) deps.onSession(known);
  });
  return {
    push: (text, stream) => (stream === 'stdout' ? out : err).push(text),
    end() {
      out.end();
      err.end();
      return {
        text: said === '' ? (final ?? '') : withFinal(said, final),
        tokens_used: Math.round(tokens + tokensOf(count.usage)),
        usage: count.usage,
        session: session(),
        trouble,
        murmur,
      };
    },
  };
}

/** Cuts text into lines. Pieces are put together once per line: a line of 10 MB comes in hundreds of them. */
function lines(take: (line: string) => void): { push(text: string): void; end(): void } {
  let pieces: string[] = [];
  let length = 0;
  return {
    push(text) {
      const [first = '', ...others] = text.split('\n');
      if (length <= LINE_LIMIT) pieces.push(first);
      length += first.length;
      for (const next of others) {
        if (length <= LINE_LIMIT) take(pieces.join(''));
        pieces = [next];
        length = next.length;
      }
    },
    end() {
      const rest = pieces.join('');
      if (rest !== '') take(rest);
    },
  };
}

/** The last word once: agents repeat it as their result. */
function withFinal(said: string, final: string | undefined): string {
  return final === undefined || said.trimEnd().endsWith(final.trim()) ? said : `${said}\n${final}`;
}
