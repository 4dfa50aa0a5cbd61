import { UsageError } from '../../core/errors.ts';
import { type Bytes, parseSize } from '../../core/units.ts';

/** The bytes of a size that was typed. UsageError, which names all that its verb takes in that place. */
export function sizeAmong(text: string, forms: string): Bytes {
  try {
    return parseSize(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const remedy = error.message.endsWith('has no unit') ? error.remedy : `write for example ${forms}`;
    throw new UsageError(error.message, { cause: error, ...(remedy === undefined ? {} : { remedy }) });
  }
}
