import { HarnessError } from '../errors.ts';
import type { FrameworkCall } from './framework.ts';

/** The longest a timer of Node's can wait, in milliseconds: 24 days. */
const LONGEST_MS = 2_147_483_647;

/** A positive whole number among a framework's options; undefined when it is absent or empty. Throws HARNESS_FRAMEWORK_OPTION. */
export function numberOption({ order }: FrameworkCall, option: string): number | undefined {
  const text = order.framework.options[option] ?? '';
  if (text === '') return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= LONGEST_MS) return value;
  const expected = `a whole number from 1 to ${LONGEST_MS}`;
  throw new HarnessError('HARNESS_FRAMEWORK_OPTION', { framework: order.framework.name, option, expected });
}

/** `--model NAME` when the option is given. */
export function modelFlag(call: FrameworkCall, flag = '--model'): readonly string[] {
  const model = call.order.framework.options['model'];
  return model === undefined || model === '' ? [] : [flag, model];
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
