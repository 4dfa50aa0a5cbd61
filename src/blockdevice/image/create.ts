import { operation } from '../../atomic/operation.ts';
import { imageCreation } from './new-image.ts';

/**
 * Creates an image file with a given size, as the backing file of a loop device. The file appears
 * at its full size or not at all, and never replaces another file.
 */
export const createImage = operation(imageCreation);
