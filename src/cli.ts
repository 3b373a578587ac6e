#!/usr/bin/env node
import { cacheCompiledCode } from './runtime/compile-cache.js';
import { outliveOutput } from './runtime/outlive-output.js';

outliveOutput();
cacheCompiledCode();
// Only what is loaded from here on is kept.
const { createProgram } = await import('./cli/program.js');
await createProgram().parseAsync();
