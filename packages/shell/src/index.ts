export { createApp } from './app.ts';
export type { AppDeps } from './app.ts';
export { DEFAULT_PORT, readConfig } from './config.ts';
export type { ShellConfig, ShellFlags } from './config.ts';
export { ShellError, statusOfCode } from './errors.ts';
export type { ShellErrorDetails } from './errors.ts';
export { startShell } from './start.ts';
export type { RunningShell, ShellDeps } from './start.ts';
