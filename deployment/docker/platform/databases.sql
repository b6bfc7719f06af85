-- Run once by PostgreSQL, when its volume is empty. The database airflow is made by the image itself.
CREATE DATABASE mlflow;
