import { existsSync } from 'node:fs';

import { findJsonFault, type Json, messageOf } from '@caloron/noether';
import { unreadable } from '@caloron/scheduler/errors';
import { readTextFile } from '@caloron/scheduler/text-file';
import { shellWord } from '@caloron/types';

import { CliError } from './errors.ts';

const QUOTE_IT = `quote it for the shell: --input '{"name":"ada"}'; --input @FILE reads a file`;

/** Reads `--input`: JSON text, or `@FILE`, or `-` for standard input; `{}` where there is none. Throws CLI_INPUT_INVALID. */
export function readInput(text: string | undefined): Json {
  if (text === undefined) return {};
  if (text === '-') return parsed(fileText(0, 'standard input'), 'standard input', 'give it JSON, as < FILE');
  if (!text.startsWith('@'))
    return parsed(text, null, existsSync(text) ? `--input @${shellWord(text)} reads the file` : QUOTE_IT);
  const file = text.slice(1);
  if (file === '') throw invalid('@ names no file', '--input @FILE reads a file');
  return parsed(fileText(file, file), file, `correct it; --input @${shellWord(file)} reads it again`);
}

function fileText(file: string | 0, name: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    throw invalid(
      `${name}: ${unreadable(error)}`,
      'the path after --input @ counts from the working directory',
      error,
    );
  }
}

function parsed(text: string, name: string | null, hint: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const fault = findJsonFault(text);
    const reason =
      fault === null
        ? messageOf(error)
        : `line ${fault.line}, column ${fault.column}: expected ${fault.expected}`;
    const place = name === null ? '' : `${name}: `;
    throw invalid(`${place}${text.trim() === '' ? 'there is nothing in it' : reason}`, hint, error);
  }
}

function invalid(reason: string, hint: string, cause?: unknown): CliError {
  return new CliError('CLI_INPUT_INVALID', { reason }, { hint, ...(cause !== undefined && { cause }) });
}
