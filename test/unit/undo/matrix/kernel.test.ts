import { testMatrixOf } from '../../../support/undo/matrix-of.ts';

await testMatrixOf('kernel');
