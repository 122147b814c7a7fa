// nft INPUT OUTPUT: copies what the program was found to need into the folder of OUTPUT, and INPUT as OUTPUT.
import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeFileTrace } from '@vercel/nft';

const [input, file] = process.argv.slice(2);
const { fileList } = await nodeFileTrace([input]);
for (const path of fileList) cpSync(path, join(dirname(file), path), { verbatimSymlinks: true });
cpSync(input, file);
