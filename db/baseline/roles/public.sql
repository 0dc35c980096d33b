-- PostgreSQL lets every role execute a new function. Each function's file names the roles that may.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
