import { isInstant, timestamp } from '../vectors.ts';

/** The instant the rows are run at. */
export const NOW = '2026-04-14T08:30:00.000Z';

/** An instant like no other, for a golden text that stands for one without being one. */
export function standIn(text: unknown): unknown {
  return isInstant(text)
    ? timestamp(text)
    : typeof text === 'string' && text !== ''
      ? '2026-05-01T00:00:00.000Z'
      : text;
}

/** Whether a value is an object, neither null nor a list. */
export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
