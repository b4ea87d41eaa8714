import type { Row } from './listed.ts';

/** Stages that reach something outside themselves, through the clients of their capabilities: by name. */
export const EFFECTFUL: readonly Row[] = [];
