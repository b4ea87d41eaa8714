import { record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyObject, entriesOf, mapOf } from '../shape.ts';
import { MAX_TEXT } from './characters.ts';

/**
 * `text_template`: variables in the order of their keys, each over the whole text: a value that holds a later variable's
 * placeholder is filled too. Throws STDLIB_RESULT_TOO_LARGE.
 */
export const textTemplate = original(
  defineStage({
    name: 'text_template',
    description: 'Fills the `{{name}}` placeholders of a template with variables.',
    effects: ['Pure'],
    input: z.object({ template: z.string(), variables: AnyObject }),
    output: z.string(),
    examples: [
      {
        input: { template: 'Hello, {{name}}!', variables: { name: 'Ada' } },
        output: 'Hello, Ada!',
      },
      { input: { template: '{{a}} {{unknown}}', variables: { a: '1' } }, output: '1 {{unknown}}' },
      { input: { template: '{{a}}', variables: { a: '{{b}}', b: 'deep' } }, output: 'deep' },
      { input: { template: '<{{n}}>', variables: { n: '' } }, output: '<>' },
    ],
    tags: ['text'],
    run: ({ template, variables }) => {
      let text = template;
      for (const [key, value] of entriesOf(variables)) {
        const parts = text.split(`{{${key}}}`);
        const filling = typeof value === 'string' ? value : '';
        if (text.length + (parts.length - 1) * filling.length > MAX_TEXT)
          throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'text_template', limit: MAX_TEXT });
        text = parts.join(filling);
      }
      return text;
    },
  }),
  { input: record({ template: TEXT, variables: mapOf(TEXT) }) },
);
