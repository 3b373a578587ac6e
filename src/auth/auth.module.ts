import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiKeys } from './api-keys.js';
import { RoleGuard } from './role.guard.js';

/** API keys and roles, for every route of the application. */
@Global()
@Module({ providers: [ApiKeys, { provide: APP_GUARD, useClass: RoleGuard }], exports: [ApiKeys] })
export class AuthModule {}
