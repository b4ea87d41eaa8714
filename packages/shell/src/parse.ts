import type { z } from 'zod';

import { ShellError } from './errors.ts';

/** What a schema makes of a body, query or parameter. Throws REQUEST_INVALID with every problem and its place. */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'body'}: ${message}`,
  );
  throw new ShellError('REQUEST_INVALID', { issues });
}
