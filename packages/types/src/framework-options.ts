import { UNASKED } from './unasked.ts';

/** The names of the programs an agent's work can be done by. */
export const FRAMEWORK_NAMES: readonly string[] = Object.keys(UNASKED);

const OF_ALL = ['model', 'provider', 'pass_env', 'resume', 'patience_ms', 'silence_ms'] as const;

const OF_ONE: ReadonlyMap<string, readonly string[]> = new Map([
  ['claude-code', ['allowed_tools', 'max_turns']],
  ['acp', ['command', 'allow']],
  ['command', ['command']],
  ['stub', ['script_dir']],
]);

/** The options in `framework_options` that mean something to a framework. */
export function frameworkOptions(framework: string): readonly string[] {
  return [...OF_ALL, ...(OF_ONE.get(framework) ?? [])];
}
