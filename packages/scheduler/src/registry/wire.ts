import { StageRecordShape } from '@caloron/store/stage-store';
import { z } from 'zod';

/** Most stages one page of `GET /stages` has, and how many it has when no `limit` is asked for. */
export const PAGE_LIMIT = 200;

/** Largest body of `POST /stages`, bytes: a stage with its archive and examples has 10 to 100 KiB. */
export const PUSH_LIMIT_BYTES = 8 * 1024 * 1024;

/** Shortest beginning of an id that `GET /stages/:id` takes, hex digits. */
export const PREFIX_DIGITS = 8;

/** The header a key is sent in. */
export const KEY_HEADER = 'x-api-key';

/** Which stages `GET /stages` lists; `active` when not asked. */
export const LifecycleFilter = z.enum(['draft', 'active', 'deprecated', 'tombstone', 'all']);
/** See {@link LifecycleFilter}. */
export type LifecycleFilter = z.infer<typeof LifecycleFilter>;

/** Answer to `GET /health`. Fields a reader does not know are left. */
export const HealthAnswer = z.object({
  ok: z.literal(true),
  data: z.object({
    /** `stale`: the store's file became unreadable or was tampered with, and the last good one is served. */
    status: z.enum(['ok', 'stale']),
    /** Stages of every lifecycle. */
    stages: z.number().int().nonnegative(),
    version: z.string(),
    /** Why the store is stale; null when it is not. */
    problem: z.string().nullish(),
  }),
});
/** See {@link HealthAnswer}. */
export type HealthAnswer = z.infer<typeof HealthAnswer>;

/** Answer to `GET /stages`: one page, ordered by id. */
export const StagesAnswer = z.object({
  ok: z.literal(true),
  data: z.object({
    /** As the stage store keeps them: with archive, signatures and seal. */
    stages: z.array(StageRecordShape),
    /** Stages of this page. */
    count: z.number().int().nonnegative(),
    /** Stages of all pages. */
    total: z.number().int().nonnegative(),
    limit: z.number().int().positive(),
    offset: z.number().int().nonnegative(),
  }),
});
/** See {@link StagesAnswer}. */
export type StagesAnswer = z.infer<typeof StagesAnswer>;

/** Answer to `GET /stages/:id`. */
export const StageAnswer = z.object({ ok: z.literal(true), data: StageRecordShape });
/** See {@link StageAnswer}. */
export type StageAnswer = z.infer<typeof StageAnswer>;

/** Answer to `POST /stages`: 201 when the stage was put, 200 when the very same was there. */
export const PushAnswer = z.object({
  ok: z.literal(true),
  data: z.object({
    id: z.string(),
    name: z.string(),
    /** What it is in the registry. */
    lifecycle: z.enum(['draft', 'active', 'deprecated', 'tombstone']),
    created: z.boolean(),
    /** Ids of the stages it has taken the place of. */
    supersedes: z.array(z.string()),
  }),
});
/** See {@link PushAnswer}. */
export type PushAnswer = z.infer<typeof PushAnswer>;

/** Every answer that is no 2xx or 304. */
export const ErrorAnswer = z.object({
  ok: z.literal(false),
  error: z.object({
    code: z.string(),
    message: z.string(),
    /** The next step; null where there is none to tell. */
    hint: z.string().nullish(),
    /** Each thing that is wrong with what was sent; null where the message says it all. */
    problems: z.array(z.string()).nullish(),
  }),
});
/** See {@link ErrorAnswer}. */
export type ErrorAnswer = z.infer<typeof ErrorAnswer>;
