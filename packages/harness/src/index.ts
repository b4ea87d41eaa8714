export { readConfig } from './config.ts';
export type { HarnessConfig } from './config.ts';
export { HarnessError } from './errors.ts';
export type { HarnessErrorDetails } from './errors.ts';
export { frameworks } from './frameworks/table.ts';
export type { Framework, FrameworkCall, FrameworkResult, Heard } from './frameworks/framework.ts';
export { readScript } from './frameworks/stub.ts';
export { runHarness } from './harness.ts';
export type { HarnessDeps } from './harness.ts';
