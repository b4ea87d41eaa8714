import { z } from 'zod';

import { Timestamp } from './time.ts';

/** A sprint that was paused: KV `caloron:{sprint}:paused`, absent while it is not. Its agents go on; nothing of it is started or done. */
export const Paused = z.strictObject({
  /** Who paused it. */
  by: z.string().min(1).max(200),
  at: Timestamp,
  /** True when its agents were stopped too. */
  stopped: z.boolean(),
});
export type Paused = z.infer<typeof Paused>;
