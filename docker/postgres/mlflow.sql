-- Run once, when the server makes its data: POSTGRES_DB is Airflow's, this one is MLflow's.
CREATE DATABASE mlflow;
