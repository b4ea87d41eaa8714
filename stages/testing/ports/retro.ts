import type { Port } from '../conformance.ts';
import { analyzePort } from './retro_analyze.ts';
import { collectPort } from './retro_collect.ts';
import { kpisPort } from './retro_kpis.ts';

/** The stages of the original's `retro/`, but for its report. */
export const retroPorts: readonly Port[] = [collectPort, kpisPort, analyzePort];
