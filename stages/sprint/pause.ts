import { keys, type Id, type KvRead } from '@caloron/types';

/** Whether a person paused the sprint. A value that cannot be read counts: whoever wrote it wanted it to stand still. */
export async function isPaused(kv: KvRead, sprint_id: Id): Promise<boolean> {
  return (await kv.get(keys.paused(sprint_id))) !== undefined;
}
