import { constants, copyFileSync } from 'node:fs';

/** Clones the file that is named first as the second one; ends with an error where that cannot be done. */
const [source = '', target = ''] = process.argv.slice(2);
copyFileSync(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
