import type { Id, Report, Sprint, Task, Timestamp } from '@caloron/types';

import { verifyCause } from './causes.ts';
import type { Draft } from './draft.ts';
import { pauseReason } from './limits.ts';
import { intendReviewer } from './reviewer.ts';
import { roomReason } from './room.ts';

/** Who runs the verify commands of a task that has no reviewer: an agent without a model, one for the sprint. */
const VERIFIER: Id = 'verifier';

/** Whose process runs a task's verify commands. */
export function verifierOf({ reviewer_id }: Task): Id {
  return reviewer_id ?? VERIFIER;
}

/** What a report proves of its head; undefined when it neither has a receipt of every verify command nor one that failed. */
export function receiptOf({ verify }: Sprint, report: Report, at: Timestamp): Task['receipt'] | undefined {
  const { head_sha: commit, process_id } = report;
  const all = report.receipts ?? (report.receipt === null ? [] : [report.receipt]);
  const receipts = all.filter((receipt) => receipt.commit === commit);
  if (commit === null || receipts.length === 0) return undefined;
  const passed = receipts.filter(({ exit_code, void: voided }) => exit_code === 0 && voided === undefined);
  if (passed.length < receipts.length) return { commit, ok: false, at, process_id };
  const proven = new Set(passed.map(({ command }) => JSON.stringify(command)));
  const ok = verify.every((command) => proven.has(JSON.stringify(command)));
  return ok ? { commit, ok, at, process_id } : undefined;
}

/** The receipt that counts: the one of the current head. */
export function countingReceipt({ receipt, head_sha }: Task): Task['receipt'] {
  return receipt?.commit === head_sha ? receipt : null;
}

/** Whether a merge of the task's head lacks proof that the sprint asks for. */
export function lacksReceipt({ sprint }: Draft, task: Task): boolean {
  const required = sprint.verify.length > 0 && (sprint.require_receipt ?? true);
  return required && countingReceipt(task)?.ok !== true;
}

/** What an approved task waits for until its head is proven; null when it is, or need not be. Starts the run that proves it. */
export function awaitReceipt(draft: Draft, task: Task, taken: Set<Id>): string | null {
  if (!lacksReceipt(draft, task)) return null;
  if (countingReceipt(task)?.ok === false) return 'receipt_failed';
  if (task.reviewer_run?.over === false) return 'waits_receipt';
  // No provider is asked for anything: its limits do not count.
  const pause = pauseReason(draft, task, undefined);
  if (pause !== null) return pause;
  const agent_id = verifierOf(task);
  if (taken.has(agent_id)) return 'reviewer_busy';
  const full = roomReason(draft, task);
  if (full !== null) return full;
  taken.add(agent_id);
  const start = { agent_id, mode: 'verify', cause: verifyCause(task) } as const;
  return intendReviewer(draft, task, start) ?? 'waits_receipt';
}
