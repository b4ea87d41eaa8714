import { agentEnvironment } from '../environment.ts';
import { HarnessError } from '../errors.ts';
import { type GroupExit, runGroup } from '../run-group.ts';
import type { Framework, FrameworkCall, FrameworkResult, Heard } from './framework.ts';
import type { Trouble } from './trouble.ts';

/** Characters of what an agent said that are kept, from the end. */
const TEXT_LIMIT = 200_000;

/** Characters of stderr that are kept, from the end: the program's last words are there. */
const STDERR_LIMIT = 4000;

/** A command-line agent: how it is called and how its output is read. */
export interface CliSpec {
  readonly name: string;
  readonly model: boolean;
  /** Variables set for it. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command line. Nothing of the prompt belongs in it where stdin or a file will do: argv is visible to all and limited to 128 kB. */
  readonly argv: (call: FrameworkCall) => readonly string[];
  /** Whether the prompt is given on stdin; else stdin is closed. */
  readonly prompt_on_stdin: boolean;
  /** Whether stderr is the work's as much as the program's, so that its words say nothing of why it failed. */
  readonly stderr_is_work?: boolean;
  /** The meaning of one line of stdout. */
  readonly hear: (line: string) => Heard;
}

/** A command-line agent that can be run. */
export interface CliFramework extends Framework, CliSpec {
  readonly name: string;
  readonly model: boolean;
}

/** A framework that is a command in the worktree. Throws HARNESS_COMMAND_MISSING when it is not installed. */
export function cliFramework(spec: CliSpec): CliFramework {
  return {
    ...spec,
    scripted: false,
    async run(call) {
      const said = listener(spec.hear);
      let stderr = '';
      const argv = spec.argv(call);
      const exit = await runGroup({
        argv: call.confine(argv),
        cwd: call.order.worktree,
        env: { ...agentEnvironment(call.env, call.order, call.prompt_file), ...spec.env },
        stdin: spec.prompt_on_stdin ? call.prompt : null,
        timeout_ms: call.timeout_ms,
        signal: call.signal,
        onOutput(text, stream) {
          call.onOutput(text);
          if (stream === 'stdout') said.push(text);
          else stderr = (stderr + text).slice(-STDERR_LIMIT);
        },
      });
      const heard = said.end();
      const trouble = heard.trouble ?? (spec.stderr_is_work === true ? null : lastWords(exit, stderr));
      return { ...exit, ...heard, trouble, feedback: null } satisfies FrameworkResult;
    },
  };
}

/** Of a program that failed without a word in its protocol: what it printed as error. */
function lastWords({ code, timed_out, stopped }: GroupExit, stderr: string): Trouble | null {
  const failed = code !== 0 && !timed_out && !stopped;
  return failed && stderr.trim() !== '' ? { message: stderr.trim() } : null;
}

/** Lines as they are: for agents that print plain text. */
export function plainText(line: string): Heard {
  return { text: `${line}\n` };
}

/** Refuses a prompt that does not fit into one argument (Linux: 128 kB). */
export function asArgument(call: FrameworkCall, framework: string): string {
  if (Buffer.byteLength(call.prompt) < 120_000) return call.prompt;
  throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
    framework,
    option: 'prompt',
    expected: 'at most 120 kB, since this agent reads its prompt from an argument',
  });
}

/** `--model NAME` when the option is given. */
export function modelFlag(call: FrameworkCall, flag = '--model'): readonly string[] {
  const model = call.order.framework.options['model'];
  return model === undefined || model === '' ? [] : [flag, model];
}

function listener(hear: (line: string) => Heard): {
  push(text: string): void;
  end(): { text: string; tokens_used: number; trouble: Trouble | null };
} {
  let rest = '';
  let said = '';
  let final: string | undefined;
  let tokens_used = 0;
  let trouble: Trouble | null = null;
  const take = (line: string): void => {
    const { text, final: last, tokens, trouble: met, well } = hear(line);
    if (well === true) trouble = null;
    if (met !== undefined) trouble = met;
    if (text !== undefined) said = (said + text).slice(-TEXT_LIMIT);
    if (last !== undefined) final = last;
    if (tokens !== undefined && Number.isFinite(tokens)) tokens_used += tokens;
  };
  return {
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    },
    end() {
      if (rest !== '') take(rest);
      return {
        text: said === '' ? (final ?? '') : withFinal(said, final),
        tokens_used: Math.round(tokens_used),
        trouble,
      };
    },
  };
}

/** The last word once: agents repeat it as their result. */
function withFinal(said: string, final: string | undefined): string {
  return final === undefined || said.trimEnd().endsWith(final.trim()) ? said : `${said}\n${final}`;
}
