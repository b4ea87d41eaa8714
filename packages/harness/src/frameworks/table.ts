import { HarnessError } from '../errors.ts';
import { acp } from './acp.ts';
import { aider } from './aider.ts';
import { claudeCode } from './claude-code.ts';
import { codexCli } from './codex-cli.ts';
import { command } from './command.ts';
import { cursorCli } from './cursor-cli.ts';
import type { Framework } from './framework.ts';
import { geminiCli } from './gemini-cli.ts';
import { openCode } from './open-code.ts';
import { stub } from './stub.ts';

/** Every framework an order can name. */
export const frameworks: readonly Framework[] = [
  claudeCode,
  codexCli,
  geminiCli,
  cursorCli,
  openCode,
  aider,
  acp,
  command,
  stub,
];

/** The framework of that name. Throws HARNESS_FRAMEWORK_UNKNOWN. */
export function frameworkNamed(name: string): Framework {
  const found = frameworks.find((framework) => framework.name === name);
  if (found !== undefined) return found;
  const known = frameworks.map((framework) => framework.name);
  throw new HarnessError('HARNESS_FRAMEWORK_UNKNOWN', { name, known });
}
