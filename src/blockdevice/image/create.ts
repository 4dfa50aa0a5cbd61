import { operation } from '../../atomic/operation.ts';
import { imageCreation } from './new-image.ts';

/**
 * Creates an image file of a size, as the backing file of a loop device. It appears at its full size
 * or not at all, and never replaces another file.
 */
export const createImage = operation(imageCreation);
