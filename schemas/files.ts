import { fileURLToPath } from 'node:url';

import { GraphFile } from '@caloron/noether/graph-schema';
import { SchedulerFile } from '@caloron/scheduler/config';
import { ProjectConfig } from '@caloron/types';
import { z } from 'zod';

/** A file of this folder and what belongs into it. */
export interface SchemaFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** Largest whole number JSON carries exactly: a bound zod adds to each integer, and one that says nothing to a person. */
const SAFE = Number.MAX_SAFE_INTEGER;

function schemaOf(name: string, title: string, shape: z.ZodType): SchemaFile {
  const schema = z.toJSONSchema(shape, {
    io: 'input',
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === SAFE) delete jsonSchema.maximum;
      if (jsonSchema.minimum === -SAFE) delete jsonSchema.minimum;
    },
  });
  const { $schema, ...rest } = schema;
  return {
    name,
    path: fileURLToPath(new URL(name, import.meta.url)),
    text: `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`,
  };
}

/** Every schema, made of the shapes the programs read their files with. */
export const schemaFiles: readonly SchemaFile[] = [
  schemaOf('scheduler.schema.json', 'scheduler.json: jobs of noether-scheduler', SchedulerFile),
  schemaOf('caloron.schema.json', 'caloron.json: settings of a project', ProjectConfig),
  schemaOf('composition.schema.json', 'A composition: a graph of stages', GraphFile),
];
