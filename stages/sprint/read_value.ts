import type { KvRead } from '@caloron/types';
import type { z } from 'zod';

import { SprintError } from './errors.ts';

/** The value of a key in the shape it promises; undefined when absent. Throws SPRINT_VALUE_INVALID for another shape, never a default. */
export async function readValue<T extends z.ZodType>(
  kv: KvRead,
  key: string,
  schema: T,
): Promise<z.output<T> | undefined> {
  const found = await kv.get(key);
  if (found === undefined) return undefined;
  const parsed = schema.safeParse(found.value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw new SprintError(
    'SPRINT_VALUE_INVALID',
    { key, problems },
    { cause: parsed.error, hint: `look at it: ./caloron kv get ${key}` },
  );
}
