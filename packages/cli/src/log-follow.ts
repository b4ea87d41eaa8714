import { setTimeout as delay } from 'node:timers/promises';

import { isAlive } from '@caloron/capabilities/process-identity';
import type { Processes } from '@caloron/store';
import type { ProcessRow } from '@caloron/types';

import { openLogChain } from './log-chain.ts';

/** How often the file and the process are looked at, in milliseconds. */
const POLL_MS = 100;
/** A shell that runs settles a process that ended within this time; without one nobody ever does. */
const SETTLE_MS = 1_000;
/** A start that takes longer than this was cut off: nothing will come of it. */
const START_MS = 120_000;

/** How following a log ended. */
export interface Followed {
  /** As it was last seen; `running` with `ended` true when no shell is there to settle it. */
  readonly row: ProcessRow;
  /** False when following was interrupted. */
  readonly ended: boolean;
}

/** What following a log needs. */
export interface FollowDeps {
  readonly processes: Pick<Processes, 'get'>;
  readonly signal: AbortSignal;
  readonly take: (bytes: Buffer) => void;
  /** Called once: what was there already has been handed on. */
  readonly onCaughtUp: () => void;
  /** Output was rotated away before it could be read. */
  readonly onLost: () => void;
}

/** Hands on what a process prints until it has ended or the signal is aborted; it asks /proc itself, so that a dead shell is no hindrance. */
export async function followLog(first: ProcessRow, deps: FollowDeps): Promise<Followed> {
  const { processes, signal, take, onCaughtUp, onLost } = deps;
  const begun = performance.now();
  const chain = openLogChain(first.log_file);
  let gone_since: number | undefined;
  let caught_up = false;
  try {
    for (;;) {
      const row = processes.get(first.process_id) ?? first;
      const now = performance.now();
      if (isThere(row, now - begun)) gone_since = undefined;
      else gone_since ??= now;
      const settled = row.state === 'exited' || row.state === 'lost';
      const ended = settled || (gone_since !== undefined && now - gone_since > SETTLE_MS);
      // Looked at after its end was seen: its last words are on the disk by then.
      if (chain.read(take)) onLost();
      if (!caught_up) onCaughtUp();
      caught_up = true;
      if (ended || signal.aborted) return { row, ended };
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    chain.close();
  }
}

function isThere(row: ProcessRow, waited_ms: number): boolean {
  return row.state === 'spawning' && row.pid === null ? waited_ms < START_MS : isAlive(row);
}
