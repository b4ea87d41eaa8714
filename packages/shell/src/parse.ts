import type { z } from 'zod';

import { ShellError } from './errors.ts';

/** Problems named one by one, and most characters of each: a body with a thousand wrong fields is met with a short answer. */
const MAX_ISSUES = 20;
const MAX_ISSUE = 200;

/** What a schema makes of a body, query or parameter. Throws REQUEST_INVALID with the problems and their places, the first 20 of them. */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // Two rules of one field may say the same.
  const told = parsed.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'body'}: ${message}`,
  );
  const all = [...new Set(told)];
  const issues = all
    .slice(0, MAX_ISSUES)
    .map((issue) => (issue.length > MAX_ISSUE ? `${issue.slice(0, MAX_ISSUE)} …` : issue));
  if (all.length > MAX_ISSUES) issues.push(`and ${all.length - MAX_ISSUES} more`);
  throw new ShellError('REQUEST_INVALID', { issues });
}
