// What may be written next: names and values that the server has, and the words of the language.

import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { tagNames, tagValues } from '../api/tags';
import { attributeField, quote } from '../search/query';
import type { EditorProps } from './editor';
import { AGGREGATES, INTRINSICS, METRICS, placeAt, STAGES } from './words';

/** A source of completions for the editor. */
export function complete(props: () => EditorProps) {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const text = context.state.doc.toString();
    const place = placeAt(text, context.pos);
    if (place.what === 'nothing') return context.explicit && text.trim() === '' ? start(context.pos) : null;
    if (place.from === context.pos && !context.explicit && !/[{(=~<>&|,\s.]$/.test(text.slice(0, context.pos)))
      return null;
    const options = await optionsOf(place, props);
    return options.length === 0 ? null : { from: place.from, options, validFor: /^[^\s(){},]*$/ };
  };
}

function start(from: number): CompletionResult {
  return { from, options: [{ label: '{ }', apply: '{  }' }] };
}

async function optionsOf(place: ReturnType<typeof placeAt>, props: () => EditorProps): Promise<Completion[]> {
  const { range } = props();
  if (place.what === 'operator') return words(['=', '!=', '>', '<', '>=', '<=', '=~', '!~', '&&', '||']);
  if (place.what === 'stage') {
    const calls = [...METRICS, ...AGGREGATES, ...STAGES].filter((word) => word !== 'with');
    return calls.map((label) => ({ label, apply: `${label}(`, type: 'function' }));
  }
  if (range === null) return words(INTRINSICS);
  try {
    return place.what === 'value' ? await valuesOf(place.field, range) : await fields(range);
  } catch {
    return words(INTRINSICS); // without the server's names the language's own are left
  }
}

const words = (list: string[]): Completion[] => list.map((label) => ({ label }));

async function fields(range: { from: number; to: number }): Promise<Completion[]> {
  const scopes = await tagNames(range);
  const attributes = scopes
    .filter(({ scope }) => scope !== 'intrinsic')
    .flatMap(({ scope, tags }) =>
      tags.map((tag) => ({ label: attributeField(scope, tag), boost: scope === 'resource' ? 1 : 0 })),
    );
  return [...attributes, ...INTRINSICS.map((label) => ({ label, boost: -1 }))];
}

async function valuesOf(field: string, range: { from: number; to: number }): Promise<Completion[]> {
  if (/duration|Duration|timeSinceStart/.test(field)) return words(['10ms', '100ms', '500ms', '1s', '5s']);
  if (/\.$/.test(field)) return []; // a scope without a name
  const values = await tagValues(field, range);
  return values.map(({ type, value }) => ({ label: type === 'string' ? quote(value) : value, detail: type }));
}
