/** The site file: with it `bofh recover`, the recovery at boot and `bofh doctor` know the operation. */
import { defineSite } from 'bofh';
import { record } from './record.ts';

export default defineSite({ operations: [record] });
