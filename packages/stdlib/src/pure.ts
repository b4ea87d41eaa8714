import type { Row } from './listed.ts';

/** Stages that only compute, and those that call the stages they name: by name. */
export const PURE: readonly Row[] = [
  ['text_upper', 'text/upper.ts', async () => (await import('./text/upper.ts')).textUpper],
];
