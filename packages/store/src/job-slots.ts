import type { Timestamp } from '@caloron/types';

/** One row per (scheduler_id, job, slot), each fired once for ever: where old rows are deleted, a mark says that nothing fires there any more. */
export interface JobSlots {
  /** True for the one caller that may fire this slot. */
  claim(slot: {
    readonly scheduler_id: string;
    readonly job: string;
    readonly slot: string;
    readonly run_id: string;
    /** The process that fires it, as others find out whether it lives. */
    readonly owner?: string;
  }): Promise<boolean>;
  /** Records why a slot did not fire, or how the fired one ended. A fired slot is noted as skipped only by the run that claimed it. */
  note(
    slot: {
      readonly scheduler_id: string;
      readonly job: string;
      readonly slot: string;
      readonly run_id?: string;
    },
    status: 'fired' | 'skipped' | 'ok' | 'failed',
    reason: string | null,
  ): Promise<void>;
  /** The latest slot of the calendar (not of an event) that a job has fired or skipped; null before the first. */
  latest(of: { readonly scheduler_id: string; readonly job: string }): string | null;
  /** The newest row of the log that a job has fired for; 0 before the first. */
  lastEvent(of: { readonly scheduler_id: string; readonly job: string }): number;
  /** Up to where nothing of a job fires any more, because rows there were deleted: a slot of the calendar, and a seq of the log. */
  over(of: { readonly scheduler_id: string; readonly job: string }): {
    readonly slot: string | null;
    readonly seq: number | null;
  };
  /** Slots that were fired and have not ended, oldest first. */
  open(of: { readonly scheduler_id: string; readonly job?: string }): readonly {
    readonly job: string;
    readonly slot: string;
    readonly run_id: string | null;
    readonly owner: string | null;
  }[];
  list(query: { readonly job?: string; readonly limit: number }): readonly {
    readonly scheduler_id: string;
    readonly job: string;
    readonly slot: string;
    readonly status: string;
    readonly reason: string | null;
    readonly run_id: string | null;
    readonly at: Timestamp;
  }[];
}
