import { UsageError } from '../../core/errors.ts';
import { type Bytes, parseSize } from '../../core/units.ts';
import { present } from '../../core/present.ts';

/** Parses a size to bytes. Throws UsageError, which names every form that the verb accepts. */
export function sizeAmong(text: string, forms: string): Bytes {
  try {
    return parseSize(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const remedy = error.message.endsWith('has no unit') ? error.remedy : `write for example ${forms}`;
    throw new UsageError(error.message, { cause: error, ...present({ remedy }) });
  }
}

/** Parses a size such as `20g`, or `max`. Throws UsageError for anything else. */
export function sizeOrMax(text: string): Bytes | 'max' {
  return text === 'max' ? text : sizeAmong(text, '20g or max');
}
