import { agentEnvironment } from '../environment.ts';
import { haltOnPause } from '../budget.ts';
import { HarnessError } from '../errors.ts';
import { type GroupExit, runGroup } from '../run-group.ts';
import type { Framework, FrameworkCall, FrameworkResult, Heard } from './framework.ts';
import { listener } from './listener.ts';
import { numberOption } from './options.ts';
import type { Trouble } from './trouble.ts';
import { watchRun } from './watch.ts';

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
  /** Whether it has a flag for option `max_turns`. */
  readonly limits_turns?: boolean;
  /** Whether stderr is the work's as much as the program's, so that its words say nothing of why it failed. */
  readonly stderr_is_work?: boolean;
  /** The meaning of one line of stdout. */
  readonly hear: (line: string) => Heard;
  /** The meaning of one line of stderr, for programs that tell there what their protocol leaves out. */
  readonly hear_error?: (line: string) => Heard;
}

/** A command-line agent that can be run. */
export interface CliFramework extends Framework, CliSpec {
  readonly name: string;
  readonly model: boolean;
}

/** A framework that is a command in the worktree. Throws HARNESS_COMMAND_MISSING when it is not installed, HARNESS_FRAMEWORK_OPTION. */
export function cliFramework(spec: CliSpec): CliFramework {
  return { ...spec, scripted: false, run: async (call) => runCli(spec, call) };
}

async function runCli(spec: CliSpec, call: FrameworkCall): Promise<FrameworkResult> {
  if (spec.limits_turns !== true && numberOption(call, 'max_turns') !== undefined) {
    const expected = 'no value: this program has no such limit';
    throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
      framework: spec.name,
      option: 'max_turns',
      expected,
    });
  }
  const argv = spec.argv(call);
  const watch = watchRun(call);
  const halt = haltOnPause(call.pause);
  const said = listener({
    hear: spec.hear,
    hear_error: spec.hear_error,
    session: call.session ?? null,
    onSession: (session) => call.onSession?.(session),
    onUsage: (usage) => call.onUsage?.(usage),
    onTrouble: (trouble) => watch.trouble(trouble),
    onBetween: () => halt.between(),
  });
  let stderr = '';
  try {
    const exit = await runGroup({
      argv: call.confine(argv),
      cwd: call.order.worktree,
      env: { ...agentEnvironment(call.env, call.order, call.prompt_file), ...spec.env },
      stdin: spec.prompt_on_stdin ? call.prompt : null,
      timeout_ms: call.timeout_ms,
      signal: AbortSignal.any([call.signal, watch.signal, halt.signal]),
      onOutput(text, stream) {
        call.onOutput(text);
        watch.output();
        said.push(text, stream);
        if (stream === 'stderr') stderr = (stderr + text).slice(-STDERR_LIMIT);
      },
    });
    const { murmur, ...heard } = said.end();
    const silent = watch.ended === 'silent';
    const ended = {
      ...exit,
      timed_out: exit.timed_out || silent,
      stopped: exit.stopped && (call.signal.aborted || halt.signal.aborted),
    };
    const words = spec.stderr_is_work === true ? null : lastWords(ended, stderr);
    // Gemini CLI exits with 0 when it is ended.
    const well = exit.code === 0 && watch.ended === null && !exit.timed_out;
    const trouble = heard.trouble ?? (well ? null : (murmur ?? words));
    return { ...ended, ...heard, trouble, silent, feedback: null };
  } finally {
    watch.close();
    halt.close();
  }
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
