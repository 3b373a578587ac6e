import { Global, Module } from '@nestjs/common';
import { RequestGate } from './request-gate.js';

/** What every request passes through. Needs RuntimeModule. */
@Global()
@Module({ providers: [RequestGate], exports: [RequestGate] })
export class HttpModule {}
