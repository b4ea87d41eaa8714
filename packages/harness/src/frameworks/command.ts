import { z } from 'zod';

import { HarnessError } from '../errors.ts';
import { cliFramework, plainText } from './cli-framework.ts';

/** Any program: option `command` is its argv as JSON or words; the prompt comes on stdin and in the file CALORON_PROMPT_FILE. */
export const command = cliFramework({
  name: 'command',
  model: false,
  argv: (call) => argvOf(call.order.framework.options['command'] ?? ''),
  prompt_on_stdin: true,
  stderr_is_work: true,
  hear: plainText,
});

/** An argv from a JSON list, or from words with '…', "…" and \ as a shell reads them; nothing is expanded. Throws HARNESS_FRAMEWORK_OPTION. */
export function argvOf(text: string, framework = 'command'): readonly string[] {
  const words = text.trimStart().startsWith('[') ? listOf(text) : wordsOf(text);
  if (words !== undefined && words[0] !== undefined && words[0] !== '') return words;
  throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
    framework,
    option: 'command',
    expected: 'an argv as a JSON list of texts, or words as a shell reads them, with quotes closed',
  });
}

function listOf(text: string): readonly string[] | undefined {
  try {
    return z.array(z.string()).safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Undefined when a quote stays open. */
function wordsOf(text: string): readonly string[] | undefined {
  const piece = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy;
  const words: string[] = [];
  let word: string | undefined;
  while (piece.lastIndex < text.length) {
    const found = piece.exec(text);
    if (found === null) return undefined;
    const [all, single, double, escaped, bare] = found;
    const part = single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? escaped ?? bare;
    if (part === undefined) {
      if (all !== '' && word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + part;
  }
  return word === undefined ? words : [...words, word];
}
