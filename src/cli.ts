#!/usr/bin/env node
import { createProgram } from './cli/program.js';
import { outliveOutput } from './runtime/outlive-output.js';

outliveOutput();
await createProgram().parseAsync();
